#include "agent_service/host/watcher.h"

#include <utility>

#include "agent_service/host/log_row.h"
#include "agent_service/host/store_refusal.h"
#include "common/rpc/status.h"

namespace holdfast::agent {
namespace {

constexpr int kPage = 200;
// A live watcher further behind is cut off; it comes back with its cursor and reads from the store.
constexpr size_t kMostBehindBytes = 1024 * 1024;

}  // namespace

Watcher::Watcher(ServerStream<v1::WatchEvent>* stream, Store& store, Session session, int64_t after_sequence)
    : stream_(stream), store_(store), session_(std::move(session)), cursor_(after_sequence) {}

void Watcher::Begin() {
  stream_->set_on_closed([this] {
    stream_ = nullptr;
    session_.on_gone(this);
  });
  stream_->set_on_drained([this] {
    if (!live_) ReadOn();
  });
  ReadOn();
}

void Watcher::ReadOn() {
  if (reading_ || stream_ == nullptr || stream_->queued_bytes() > kMostBehindBytes) return;
  if (cursor_ >= session_.last_sequence()) {
    live_ = true;
    v1::WatchEvent event;
    event.mutable_caught_up()->set_last_sequence(cursor_);
    Send(std::move(event));
    if (stream_ != nullptr) session_.on_caught_up(this);
    return;
  }
  reading_ = true;
  store_.Read(session_.tenant, session_.session_id, cursor_, kPage,
              [weak = weak_from_this()](absl::StatusOr<std::vector<LogRow>> rows) {
                const auto self = weak.lock();
                if (self == nullptr) return;
                self->reading_ = false;
                if (self->stream_ == nullptr) return;
                if (!rows.ok()) return self->End(ToGrpc(StoreRefusal(rows.status())));
                for (const LogRow& row : *rows) {
                  auto event = EventOfRow(row);
                  if (!event.ok()) return self->End(ToGrpc(event.status()));
                  self->cursor_ = event->sequence();
                  v1::WatchEvent out;
                  *out.mutable_event() = *std::move(event);
                  self->stream_->Write(std::move(out));
                }
                self->ReadOn();
              });
}

void Watcher::OnCommitted(const v1::SessionEvent& event) {
  if (!live_ || event.sequence() <= cursor_) return;
  cursor_ = event.sequence();
  v1::WatchEvent out;
  *out.mutable_event() = event;
  Send(std::move(out));
}

void Watcher::OnTransient(const v1::WatchEvent& event) {
  if (live_) Send(event);
}

void Watcher::Send(v1::WatchEvent event) {
  if (stream_ == nullptr) return;
  if (stream_->queued_bytes() > kMostBehindBytes) {
    std::exchange(stream_, nullptr)
        ->FinishNow({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "this watcher is more than 1 MiB behind; watch again from its cursor"});
    session_.on_gone(this);
    return;
  }
  stream_->Write(std::move(event));
}

void Watcher::End(grpc::Status status) {
  if (stream_ == nullptr) return;
  std::exchange(stream_, nullptr)->Finish(std::move(status));
  session_.on_gone(this);
}

}  // namespace holdfast::agent
