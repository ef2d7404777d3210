#include "agent_service/host/session_copies.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/host/log_row.h"
#include "agent_service/host/session_id.h"
#include "agent_service/host/store_refusal.h"
#include "agent_service/session/timestamp.h"
#include "agent_service/transfer/export_lines.h"
#include "common/rpc/status.h"

namespace holdfast::agent {
namespace {

constexpr int kPage = 1000;
constexpr size_t kChunkBytes = size_t{1} << 20;

const std::string& FromOf(const v1::SessionEvent& last) {
  return last.has_session_forked() ? last.session_forked().from_session_id()
                                   : last.session_imported().from_session_id();
}

// One session on its way out. Reads on when what it wrote was taken.
class Exporting : public std::enable_shared_from_this<Exporting> {
 public:
  Exporting(Store& store, std::string tenant, ExportHeader header, ServerStream<v1::ExportChunk>* stream)
      : store_(store), tenant_(std::move(tenant)), header_(std::move(header)), stream_(stream) {}

  void Begin() {
    stream_->set_on_closed([self = shared_from_this()] { self->stream_ = nullptr; });
    stream_->set_on_drained([this] { ReadOn(); });
    text_ = lines_.Header(header_);
    ReadOn();
  }

 private:
  void ReadOn() {
    if (reading_ || stream_ == nullptr) return;
    reading_ = true;
    store_.Read(tenant_, header_.session_id, cursor_, kPage,
                [self = shared_from_this()](absl::StatusOr<std::vector<LogRow>> rows) {
                  self->reading_ = false;
                  if (self->stream_ != nullptr) self->Take(std::move(rows));
                });
  }

  void Take(absl::StatusOr<std::vector<LogRow>> rows) {
    if (!rows.ok()) return Finish(ToGrpc(StoreRefusal(rows.status())));
    for (const LogRow& row : *rows) {
      if (cursor_ == header_.events) break;
      const absl::StatusOr<std::string> line = lines_.Event(row);
      if (!line.ok()) return Finish(ToGrpc(line.status()));
      cursor_ = row.sequence;
      text_ += *line;
      if (text_.size() >= kChunkBytes) Send();
    }
    if (cursor_ < header_.events && rows->empty())
      return Finish({grpc::StatusCode::DATA_LOSS, fmt::format("event {} of the session is missing", cursor_ + 1)});
    if (cursor_ == header_.events) {
      text_ += lines_.End();
      Send();
      return Finish(grpc::Status::OK);
    }
    Send();
  }

  void Send() {
    for (size_t begin = 0; begin < text_.size(); begin += kChunkBytes) {
      v1::ExportChunk chunk;
      chunk.set_data(text_.substr(begin, kChunkBytes));
      stream_->Write(std::move(chunk));
    }
    text_.clear();
  }

  void Finish(grpc::Status status) { std::exchange(stream_, nullptr)->Finish(std::move(status)); }

  Store& store_;
  const std::string tenant_;
  const ExportHeader header_;
  ServerStream<v1::ExportChunk>* stream_;
  ExportLines lines_;
  std::string text_;
  int64_t cursor_ = 0;
  bool reading_ = false;
};

}  // namespace

void SessionCopies::Fork(const std::string& tenant, const v1::ForkSessionRequest& request, Reply<v1::Session> reply) {
  auto copy = std::make_shared<Copy>();
  copy->tenant = tenant;
  copy->id = NewSessionId(tenant, "fork", request.client_key());
  copy->client_key = request.client_key();
  copy->newest = request.at_sequence() == 0;
  copy->last.mutable_session_forked()->set_from_session_id(request.session_id());
  copy->reply = std::move(reply);
  services_.store.GetSession(tenant, request.session_id(), [this, copy, request](absl::StatusOr<SessionRow> row) {
    if (!row.ok()) return copy->reply(StoreRefusal(row.status()));
    const int64_t until = request.at_sequence() == 0 ? row->last_sequence : request.at_sequence();
    if (until > row->last_sequence) {
      return copy->reply(absl::InvalidArgumentError(
          fmt::format("at_sequence: {} is beyond the last event, {}", until, row->last_sequence)));
    }
    copy->last.mutable_session_forked()->set_at_sequence(until);
    ReadRows(copy, request.session_id(), until);
  });
}

void SessionCopies::ReadRows(std::shared_ptr<Copy> copy, const std::string& from, int64_t until) {
  const int64_t left = until - static_cast<int64_t>(copy->rows.size());
  if (left <= 0) return Write(std::move(copy));
  const auto after = static_cast<int64_t>(copy->rows.size());
  services_.store.Read(copy->tenant, from, after, static_cast<int>(std::min<int64_t>(left, kPage)),
                       [this, copy, from, until](absl::StatusOr<std::vector<LogRow>> rows) {
                         if (!rows.ok()) return copy->reply(StoreRefusal(rows.status()));
                         if (rows->empty())
                           return copy->reply(absl::DataLossError("events of the session are missing"));
                         std::move(rows->begin(), rows->end(), std::back_inserter(copy->rows));
                         ReadRows(copy, from, until);
                       });
}

void SessionCopies::Import(const std::string& tenant, const std::string& client_key, ImportedLog log,
                           Reply<v1::Session> reply) {
  auto copy = std::make_shared<Copy>();
  copy->tenant = tenant;
  copy->id = NewSessionId(tenant, "import", client_key);
  copy->client_key = client_key;
  copy->rows = std::move(log.rows);
  copy->last.mutable_session_imported()->set_from_session_id(log.header.session_id);
  SetTimestamp(log.header.exported, copy->last.mutable_session_imported()->mutable_exported());
  copy->reply = std::move(reply);
  Write(std::move(copy));
}

void SessionCopies::Write(std::shared_ptr<Copy> copy) {
  const WallTime now = std::chrono::floor<std::chrono::microseconds>(services_.loop.WallNow());
  copy->rows.push_back(RowOfEvent(copy->last, now));
  copy->rows.back().sequence = static_cast<int64_t>(copy->rows.size());
  SessionState head = SessionState().Head();
  for (const LogRow& row : copy->rows) {
    const absl::StatusOr<v1::SessionEvent> event = EventOfRow(row);
    if (!event.ok()) return copy->reply(event.status());
    head.Apply(*event);
  }
  v1::Session session = head.Summary();
  session.set_session_id(copy->id);
  AppendRequest append;
  append.session = RowOfSession(copy->tenant, session, head.turn() != nullptr);
  append.generation = services_.store.generation();
  copy->events = static_cast<int64_t>(copy->rows.size());
  append.events = std::move(copy->rows);
  services_.store.Append(std::move(append), [this, copy, session](absl::StatusOr<int64_t> last) {
    services_.observer.OnWritten(last.status());
    if (last.ok()) return copy->reply(session);
    if (!absl::IsAborted(last.status())) return copy->reply(StoreRefusal(last.status()));
    FindMade(copy, 0);
  });
}

void SessionCopies::FindMade(std::shared_ptr<Copy> copy, int64_t after) {
  services_.store.Read(copy->tenant, copy->id, after, kPage, [this, copy](absl::StatusOr<std::vector<LogRow>> rows) {
    if (!rows.ok()) return copy->reply(StoreRefusal(rows.status()));
    for (const LogRow& row : *rows) {
      absl::StatusOr<v1::SessionEvent> event = EventOfRow(row);
      if (!event.ok()) return copy->reply(event.status());
      // The last one: those before it came with the events of another copy.
      if (event->has_session_forked() || event->has_session_imported()) copy->made = *std::move(event);
    }
    if (rows->empty()) return AnswerMade(copy);
    FindMade(copy, rows->back().sequence);
  });
}

void SessionCopies::AnswerMade(const std::shared_ptr<Copy>& copy) {
  const bool same = !copy->made || (FromOf(*copy->made) == FromOf(copy->last) &&
                                    (copy->newest || copy->made->sequence() == copy->events));
  if (!same) {
    return copy->reply(absl::AlreadyExistsError(
        fmt::format("client_key: {} was used before, for session {} out of the first {} events of {}; send the same "
                    "again, or use a new key",
                    copy->client_key, copy->id, copy->made->sequence() - 1, FromOf(*copy->made))));
  }
  services_.store.GetSession(copy->tenant, copy->id, [copy](absl::StatusOr<SessionRow> made) {
    v1::Session existing;
    if (!made.ok()) return copy->reply(StoreRefusal(made.status()));
    if (!existing.ParseFromString(made->summary))
      return copy->reply(absl::DataLossError("the session's summary is damaged"));
    copy->reply(existing);
  });
}

void SessionCopies::Export(const std::string& tenant, const std::string& session_id,
                           ServerStream<v1::ExportChunk>* stream) {
  auto gone = std::make_shared<bool>(false);
  stream->set_on_closed([gone] { *gone = true; });
  services_.store.GetSession(tenant, session_id, [this, tenant, stream, gone](absl::StatusOr<SessionRow> row) {
    if (*gone) return;
    if (!row.ok()) return stream->Finish(ToGrpc(StoreRefusal(row.status())));
    ExportHeader header{row->session_id, row->model, row->workspace, services_.loop.WallNow(), row->last_sequence};
    std::make_shared<Exporting>(services_.store, tenant, std::move(header), stream)->Begin();
  });
}

}  // namespace holdfast::agent
