#include "agent_service/host/active_session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "agent_service/host/expired_cursor.h"
#include "agent_service/host/log_events.h"
#include "agent_service/host/log_row.h"
#include "agent_service/host/store_refusal.h"
#include "agent_service/session/timestamp.h"
#include "agent_service/turn/next_step.h"
#include "common/wait/wait_left.h"

namespace holdfast::agent {
namespace {

constexpr int kLoadPage = 1000;
constexpr Duration kCommitRetry = std::chrono::seconds(1);

// Microseconds are what the store keeps.
WallTime Truncate(WallTime time) { return std::chrono::floor<std::chrono::microseconds>(time); }

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

std::string OutcomeOf(const v1::SessionEvent& event) {
  if (event.has_turn_completed()) return "completed";
  std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(event.turn_failed().code()));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

ActiveSession::ActiveSession(SessionServices services, KnownModels& models, std::string tenant, std::string session_id)
    : services_(services),
      models_(models),
      tenant_(std::move(tenant)),
      session_id_(std::move(session_id)),
      commit_retry_(services.loop.NewTimer()) {}

ActiveSession::~ActiveSession() = default;

bool ActiveSession::idle() const {
  if (closed_) return true;
  if (preparing_ || committing_ || !tasks_.empty() || !watchers_.empty() || call_ != nullptr) return false;
  if (state_.lease().held() && !LeaseExpired()) return false;
  const NextStep::Kind next = DecideNextStep(session_id_, state_).kind;
  return next == NextStep::Kind::kIdle || next == NextStep::Kind::kAwaitTools;
}

struct ActiveSession::Loading {
  std::optional<int64_t> end;  // the log's last sequence
  std::optional<std::vector<LogRow>> page;
  absl::AnyInvocable<void(absl::Status)> done;  // null: called
  bool lease_anew = false;
};

void ActiveSession::Load(bool lease_anew, absl::AnyInvocable<void(absl::Status)> done) {
  auto loading = std::make_shared<Loading>();
  loading->lease_anew = lease_anew;
  loading->done = std::move(done);
  // Beside the first page: it says where the log ends, so that nobody has to ask for a page that is not there.
  services_.store.GetSession(tenant_, session_id_,
                             [self = shared_from_this(), loading](const absl::StatusOr<SessionRow>& row) {
                               if (row.ok()) loading->end = row->last_sequence;
                               self->LoadOn(loading, row.status());
                             });
  ReadPage(std::move(loading));
}

void ActiveSession::ReadPage(std::shared_ptr<Loading> loading) {
  services_.store.Read(tenant_, session_id_, state_.last_sequence(), kLoadPage,
                       [self = shared_from_this(), loading](absl::StatusOr<std::vector<LogRow>> rows) {
                         if (rows.ok()) loading->page = *std::move(rows);
                         self->LoadOn(loading, rows.status());
                       });
}

void ActiveSession::LoadOn(const std::shared_ptr<Loading>& loading, absl::Status status) {
  if (loading->done == nullptr) return;
  if (closed_) status = FromGrpc(close_status_);
  if (status.ok() && (!loading->end || !loading->page)) return;
  for (size_t i = 0; status.ok() && i < loading->page->size(); ++i) {
    const auto event = EventOfRow((*loading->page)[i]);
    status = event.status();
    if (event.ok()) state_.Apply(*event);
  }
  if (status.ok() && !loading->page->empty() && state_.last_sequence() < *loading->end) {
    loading->page.reset();
    return ReadPage(loading);
  }
  if (status.ok() && loading->lease_anew) ExtendLease();
  std::exchange(loading->done, nullptr)(status);
  if (status.ok()) Next();
}

void ActiveSession::Enqueue(Task task) {
  if (closed_) return task(FromGrpc(close_status_));
  tasks_.push_back({std::move(task)});
  Drive();
}

void ActiveSession::EnqueueCommand(Task task) {
  if (closed_) return task(FromGrpc(close_status_));
  if (stalled_) return task(FromGrpc(*stalled_));
  tasks_.push_back({std::move(task), true});
  Drive();
}

void ActiveSession::Drive() {
  while (!committing_ && !closed_ && !tasks_.empty()) {
    Task task = std::move(tasks_.front().task);
    tasks_.pop_front();
    task(absl::OkStatus());
  }
}

void ActiveSession::Commit(v1::SessionEvent event, absl::AnyInvocable<void(absl::Status)> done) {
  committing_ = true;
  const WallTime now = Truncate(services_.loop.WallNow());
  SessionState after = state_.Head();
  AppendRequest append;
  std::vector<v1::SessionEvent> events;
  const auto add = [&](v1::SessionEvent one) {
    one.set_sequence(after.last_sequence() + 1);
    SetTimestamp(now, one.mutable_time());
    after.Apply(one);
    append.events.push_back(RowOfEvent(one, now));
    events.push_back(std::move(one));
  };
  const int every = services_.snapshot_every_turns;
  const bool compacts = event.has_compaction_call_started() || event.has_context_compacted();
  const bool begins = compacts && state_.compaction() == nullptr && !state_.compaction_due();
  if (every > 0 && begins && (state_.turn() != nullptr || state_.turns_since_snapshot() > 0))
    add(SnapshotEvent(fmt::format("auto.{}", after.last_sequence()), after.last_sequence(), true));
  add(event);
  if (std::optional<v1::ModelCallStarted> call = CallAtOnce(event, after)) {
    v1::SessionEvent begun;
    *begun.mutable_model_call_started() = *std::move(call);
    add(std::move(begun));
  }
  if (every > 0 && state_.turn() != nullptr && after.turn() == nullptr && after.turns_since_snapshot() >= every)
    add(SnapshotEvent(fmt::format("auto.{}", after.last_sequence()), after.last_sequence(), true));

  v1::Session summary = after.Summary();
  summary.set_session_id(session_id_);
  append.session = RowOfSession(tenant_, summary, after.turn() != nullptr || after.compaction() != nullptr);
  append.expected_sequence = state_.last_sequence();
  append.generation = services_.store.generation();

  services_.store.Append(std::move(append), [self = shared_from_this(), events = std::move(events),
                                             done = std::move(done)](absl::StatusOr<int64_t> last) mutable {
    self->committing_ = false;
    self->services_.observer.OnWritten(last.status());
    if (self->closed_) return done(FromGrpc(self->close_status_));
    if (!last.ok()) {
      // The log is not what this session takes it for: deleted, or another writer's. Trying again would not help.
      if (absl::IsNotFound(last.status())) self->AbandonCall();
      if (absl::IsNotFound(last.status()) || absl::IsAborted(last.status())) {
        spdlog::warn("session {}: let go: {}", self->session_id_, Words(last.status()));
        self->Close(absl::IsNotFound(last.status())
                        ? ToGrpc(last.status())
                        : grpc::Status(grpc::StatusCode::UNAVAILABLE, "another writer has the session; try again"));
      }
      done(StoreRefusal(last.status()));
    } else {
      for (const v1::SessionEvent& one : events) self->Committed(one);
      done(absl::OkStatus());
      self->Next();
    }
    self->Drive();
  });
}

void ActiveSession::Committed(const v1::SessionEvent& event) {
  state_.Apply(event);
  for (const auto& watcher : std::vector(watchers_)) watcher->OnCommitted(event);
  // A compaction that the event has ended.
  if (call_ != nullptr && (event.has_turn_started() || event.has_session_restored())) AbandonCall();
  if (!event.has_turn_completed() && !event.has_turn_failed()) return;
  services_.observer.OnTurnEnded(OutcomeOf(event));
  services_.loop.Post([self = shared_from_this()] { self->ConsiderCompaction(); });
}

void ActiveSession::CommitOwn(v1::SessionEvent event) {
  v1::SessionEvent copy = event;
  Commit(std::move(event), [this, copy = std::move(copy)](absl::Status status) mutable {
    if (closed_) return;
    if (status.ok()) return Unstall();
    Stall(status);
    // First in the queue again: what follows builds on it.
    committing_ = true;
    commit_retry_->ArmAt(services_.loop.Now() + kCommitRetry, [this, copy = std::move(copy)]() mutable {
      committing_ = false;
      tasks_.push_front({[this, copy = std::move(copy)](const absl::Status& open) mutable {
        if (open.ok()) CommitOwn(std::move(copy));
      }});
      Drive();
    });
  });
}

void ActiveSession::Stall(const absl::Status& reason) {
  const absl::Status refusal = StoreRefusal(
      absl::UnavailableError(fmt::format("the session's log cannot be written: {}", Words(reason))), kCommitRetry);
  const grpc::Status status = ToGrpc(refusal);
  // What the store will never take of this session is no trouble of the others.
  const bool told = IsStoresOwn(reason);
  if (told != std::exchange(stall_told_, told)) services_.observer.OnStalled(told);
  if (!stalled_ || stalled_->error_message() != status.error_message())
    spdlog::error("session {}: the store does not take an event, trying again: {}", session_id_, Words(reason));
  stalled_ = status;
  for (const auto& watcher : std::vector(watchers_)) watcher->End(status);
  std::deque<Queued> refused;
  for (Queued& queued : std::exchange(tasks_, {})) (queued.command ? refused : tasks_).push_back(std::move(queued));
  for (Queued& queued : refused) queued.task(refusal);
}

void ActiveSession::Unstall() {
  if (!stalled_) return;
  stalled_.reset();
  spdlog::info("session {}: the store takes its events again", session_id_);
  if (std::exchange(stall_told_, false)) services_.observer.OnStalled(false);
}

void ActiveSession::Broadcast(const v1::WatchEvent& event) {
  for (const auto& watcher : std::vector(watchers_)) watcher->OnTransient(event);
}

void ActiveSession::Watch(ServerStream<v1::WatchEvent>* stream, int64_t after_sequence, bool accept_snapshot) {
  if (closed_) return stream->Finish(close_status_);
  if (stalled_) return stream->Finish(*stalled_);
  if (after_sequence > state_.last_sequence() && accept_snapshot) {
    v1::WatchEvent expired;
    *expired.mutable_cursor_expired() = ExpiredCursor(session_id_, state_);
    stream->Write(expired);
    after_sequence = state_.last_sequence();
  }
  if (after_sequence > state_.last_sequence()) {
    return stream->Finish({grpc::StatusCode::INVALID_ARGUMENT,
                           fmt::format("after_sequence: {} is beyond the last event, {}; watch again from 0",
                                       after_sequence, state_.last_sequence())});
  }
  Watcher::Session session;
  session.tenant = tenant_;
  session.session_id = session_id_;
  session.last_sequence = [this] { return state_.last_sequence(); };
  session.on_caught_up = [this](Watcher* watcher) {
    if (!wait_) return;
    v1::WatchEvent event;
    *event.mutable_wait() = *wait_;
    SetSecondsLeft(ToSeconds(wait_end_ - services_.loop.Now()), event.mutable_wait());
    watcher->OnTransient(event);
  };
  // Later: watchers are walked through while they are told things.
  session.on_gone = [this](Watcher* watcher) {
    services_.loop.Post([self = shared_from_this(), watcher] {
      std::erase_if(self->watchers_, [&](const auto& held) { return held.get() == watcher; });
    });
  };
  auto watcher = std::make_shared<Watcher>(stream, services_.store, std::move(session), after_sequence);
  watchers_.push_back(watcher);
  watcher->Begin();
}

void ActiveSession::Close(const grpc::Status& status) {
  if (closed_) return;
  closed_ = true;
  close_status_ = status;
  for (const auto& watcher : std::vector(watchers_)) watcher->End(status);
  commit_retry_->Disarm();
  stalled_.reset();
  if (std::exchange(stall_told_, false)) services_.observer.OnStalled(false);
  for (Queued& queued : std::exchange(tasks_, {})) queued.task(FromGrpc(status));
  LetCallGo();
}

}  // namespace holdfast::agent
