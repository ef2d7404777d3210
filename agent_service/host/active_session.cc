#include "agent_service/host/active_session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent_service/context/compaction.h"
#include "agent_service/context/context_items.h"
#include "agent_service/context/request_builder.h"
#include "agent_service/host/log_events.h"
#include "agent_service/host/log_row.h"
#include "agent_service/host/store_refusal.h"
#include "agent_service/session/timestamp.h"
#include "agent_service/turn/next_step.h"
#include "agent_service/turn/patience.h"
#include "common/base/random_id.h"
#include "common/base/utf8.h"
#include "common/wait/wait_left.h"

namespace holdfast::agent {
namespace {

// In a turn a context is compacted where it fills more of its room than this: estimates are estimates.
constexpr double kBeforeCall = 0.95;
constexpr size_t kMostSnapshotBytes = size_t{256} << 10;
constexpr int kLoadPage = 1000;
constexpr Duration kCommitRetry = std::chrono::seconds(1);
// A wait is written into the log again when its end moves by more than this, and by a tenth.
constexpr Duration kLeastLoggedMove = std::chrono::seconds(1);

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

ActiveSession::ActiveSession(SessionServices services, std::string tenant, std::string session_id)
    : services_(services),
      tenant_(std::move(tenant)),
      session_id_(std::move(session_id)),
      commit_retry_(services.loop.NewTimer()) {}

ActiveSession::~ActiveSession() = default;

bool ActiveSession::idle() const {
  if (closed_) return true;
  return state_.turn() == nullptr && state_.compaction() == nullptr && !preparing_ && !committing_ && tasks_.empty() &&
         watchers_.empty() && call_ == nullptr;
}

void ActiveSession::Load(absl::AnyInvocable<void(absl::Status)> done) {
  services_.store.GetSession(
      tenant_, session_id_,
      [self = shared_from_this(), done = std::move(done)](absl::StatusOr<SessionRow> row) mutable {
        if (self->closed_) return done(FromGrpc(self->close_status_));
        if (!row.ok()) return done(row.status());
        self->ReadFrom(0, std::move(done));
      });
}

void ActiveSession::ReadFrom(int64_t after, absl::AnyInvocable<void(absl::Status)> done) {
  services_.store.Read(
      tenant_, session_id_, after, kLoadPage,
      [self = shared_from_this(), done = std::move(done)](absl::StatusOr<std::vector<LogRow>> rows) mutable {
        if (self->closed_) return done(FromGrpc(self->close_status_));
        if (!rows.ok()) return done(rows.status());
        if (rows->empty()) {
          self->ExtendLease();
          done(absl::OkStatus());
          self->Next();
          return;
        }
        for (const LogRow& row : *rows) {
          auto event = EventOfRow(row);
          if (!event.ok()) return done(event.status());
          self->state_.Apply(*event);
        }
        self->ReadFrom(self->state_.last_sequence(), std::move(done));
      });
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
  add(std::move(event));
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
  if (MayPass(reason) && !std::exchange(stall_told_, true)) services_.observer.OnStalled(true);
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

void ActiveSession::SubmitTurn(v1::SubmitTurnRequest request, Reply<v1::SubmitTurnResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    if (const v1::SubmitTurnResponse* known = state_.FindTurn(request.client_key())) return reply(*known);
    if (state_.turn() != nullptr) {
      return reply(absl::AbortedError(fmt::format("session {} is busy with turn {}; wait for it, or cancel it",
                                                  session_id_, state_.turn()->started.turn_id())));
    }
    const std::string model = request.model().empty() ? state_.model() : request.model();
    if (model.empty()) return reply(absl::InvalidArgumentError("model: the session has none; name one"));

    v1::SubmitTurnResponse response;
    response.set_sequence(state_.last_sequence() + 1);
    const Duration max_wait = request.attended() ? services_.default_attended_max_wait : services_.default_max_wait;
    v1::SessionEvent event = TurnStartedEvent(std::move(request), response.sequence(), model, max_wait);
    response.set_turn_id(event.turn_started().turn_id());
    Commit(std::move(event), [response = std::move(response), reply = std::move(reply)](absl::Status status) mutable {
      if (status.ok()) {
        reply(std::move(response));
      } else {
        reply(status);
      }
    });
  });
}

void ActiveSession::SubmitToolResult(v1::SubmitToolResultRequest request, Reply<v1::SubmitToolResultResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::SubmitToolResultResponse response;
    const TurnState* turn = state_.turn();
    if (turn != nullptr && !request.client_key().empty()) {
      const auto known = turn->result_keys.find(request.call_id());
      if (known != turn->result_keys.end() && known->second == request.client_key()) {
        response.set_accepted(true);
        return reply(response);
      }
    }
    const bool awaited = turn != nullptr && std::any_of(turn->open_tools.begin(), turn->open_tools.end(),
                                                        [&](const quota::v1::ToolCall& call) {
                                                          return call.call_id() == request.call_id();
                                                        });
    if (!awaited) return reply(response);
    if (absl::Status lease = CheckResultLease(request.lease_generation()); !lease.ok()) return reply(lease);
    Commit(ToolResultEvent(*turn, std::move(request)),
           [response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             response.set_accepted(true);
             reply(response);
           });
  });
}

void ActiveSession::CancelTurn(v1::CancelTurnRequest request, Reply<v1::CancelTurnResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::CancelTurnResponse response;
    const TurnState* turn = state_.turn();
    const auto meant = [](const std::string& named, const std::string& is) { return named.empty() || named == is; };
    if (turn == nullptr || !meant(request.turn_id(), turn->started.turn_id()) ||
        !meant(request.client_key(), turn->started.client_key()))
      return reply(response);
    // The call goes on until the end of the turn is durable: if it cannot be written, nothing is lost.
    Commit(TurnFailedEvent(*turn, {grpc::StatusCode::CANCELLED, "cancelled"}),
           [this, response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             AbandonCall();
             response.set_cancelled(true);
             reply(response);
           });
  });
}

void ActiveSession::Snapshot(v1::SnapshotSessionRequest request, Reply<v1::SnapshotSessionResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::SnapshotSessionResponse response;
    response.set_sequence(state_.last_sequence());
    if (const std::optional<int64_t> known = state_.FindSnapshot(request.name())) {
      if (!state_.IsPresent(*known)) {
        return reply(absl::AlreadyExistsError(fmt::format(
            "name: snapshot {} is of event {}, and the conversation went on; choose another", request.name(), *known)));
      }
      response.set_sequence(*known);
      return reply(response);
    }
    Commit(SnapshotEvent(request.name(), response.sequence(), false),
           [response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             reply(response);
           });
  });
}

void ActiveSession::Restore(v1::RestoreSessionRequest request, Reply<v1::RestoreSessionResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    if (const v1::RestoreSessionResponse* known = state_.FindRestore(request.client_key())) return reply(*known);
    if (state_.turn() != nullptr) {
      return reply(absl::AbortedError(fmt::format("session {} is busy with turn {}; wait for it, or cancel it",
                                                  session_id_, state_.turn()->started.turn_id())));
    }
    std::optional<int64_t> target;
    if (request.has_name()) {
      target = state_.FindSnapshot(request.name());
      if (!target) {
        return reply(absl::NotFoundError(fmt::format("name: no snapshot {} in session {}; `sessions show` lists them",
                                                     request.name(), session_id_)));
      }
    } else {
      target = request.sequence();
      if (*target > state_.last_sequence()) {
        return reply(absl::InvalidArgumentError(
            fmt::format("sequence: {} is beyond the last event, {}", *target, state_.last_sequence())));
      }
    }
    v1::RestoreSessionResponse response;
    response.set_sequence(state_.last_sequence() + 1);
    response.set_restored_to(*target);
    response.set_left_at(state_.last_sequence());
    Commit(RestoredEvent(request, *target), [response, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return reply(status);
      reply(response);
    });
  });
}

v1::WatchEvent ActiveSession::ExpiredCursor() const {
  v1::WatchEvent event;
  v1::CursorExpired* expired = event.mutable_cursor_expired();
  *expired->mutable_session() = state_.Summary();
  expired->mutable_session()->set_session_id(session_id_);
  std::vector<quota::v1::Item> items = ContextItems(state_);
  size_t bytes = 0;
  auto first = items.end();
  while (first != items.begin() && bytes + std::prev(first)->ByteSizeLong() <= kMostSnapshotBytes)
    bytes += (--first)->ByteSizeLong();
  expired->set_more(first != items.begin());
  for (; first != items.end(); ++first) *expired->add_newest() = std::move(*first);
  return event;
}

void ActiveSession::Watch(ServerStream<v1::WatchEvent>* stream, int64_t after_sequence, bool accept_snapshot) {
  if (closed_) return stream->Finish(close_status_);
  if (stalled_) return stream->Finish(*stalled_);
  if (after_sequence > state_.last_sequence() && accept_snapshot) {
    stream->Write(ExpiredCursor());
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

void ActiveSession::AbandonCall() {
  if (call_ != nullptr) call_->CancelAtQuotaService();
  LetCallGo();
}

// The call may be what is calling us.
void ActiveSession::LetCallGo() {
  if (call_ == nullptr) return;
  call_->Detach();
  services_.loop.Post([call = std::shared_ptr<ModelCall>(std::move(call_))] {});
  wait_.reset();
}

void ActiveSession::Next() {
  if (closed_) return;
  NextStep next = DecideNextStep(session_id_, state_);
  switch (next.kind) {
    case NextStep::Kind::kIdle:
      if (state_.compaction_due()) ConsiderCompaction();
      return;
    case NextStep::Kind::kAwaitTools:
      return;
    case NextStep::Kind::kAwaitCompaction:
      if (call_ == nullptr) StartCompaction();
      return;
    case NextStep::Kind::kBeginCall:
      PrepareCall(std::move(next.call));
      return;
    case NextStep::Kind::kAwaitCall:
      if (call_ == nullptr) StartCall(next.call);
      return;
    case NextStep::Kind::kEnd:
    case NextStep::Kind::kUpdatePlan:
      Enqueue([this](const absl::Status& open) {
        if (!open.ok()) return;
        NextStep again = DecideNextStep(session_id_, state_);
        if (again.kind == NextStep::Kind::kEnd || again.kind == NextStep::Kind::kUpdatePlan)
          CommitOwn(std::move(again.end));
      });
      return;
  }
}

void ActiveSession::PrepareCall(v1::ModelCallStarted call) {
  if (preparing_) return;
  preparing_ = true;
  const std::string model = state_.turn()->started.model();
  services_.quota.GetModel(model, [self = shared_from_this(), call = std::move(call)](
                                      const grpc::Status& status, const quota::v1::GetModelResponse& response) mutable {
    self->preparing_ = false;
    self->Enqueue([raw = self.get(), call = std::move(call), status, response](const absl::Status& open) mutable {
      if (!open.ok()) return;
      const NextStep now = DecideNextStep(raw->session_id_, raw->state_);
      // Cancelled meanwhile, perhaps.
      if (now.kind != NextStep::Kind::kBeginCall || now.call.call_id() != call.call_id()) return raw->Next();
      if (!status.ok() && !IsBrokenLink(status)) return raw->FailTurn(status);
      if (status.ok()) {
        raw->known_model_.emplace(raw->state_.turn()->started.model(), response);
        if (!raw->state_.turn()->compaction_failed && raw->Compact(response, kBeforeCall)) return;
        const ContextSize size =
            MeasureContext(raw->state_, CountCodePoints(raw->state_.turn()->started.instructions()));
        const absl::Status fits = CheckContext(size, response, call.max_output_tokens());
        if (!fits.ok()) {
          ErrorDetails details;
          details.violations.push_back({"model:" + response.model(), std::string(fits.message()), "tokens",
                                        ContextCeiling(response, call.max_output_tokens())});
          return raw->FailTurn(ToGrpc(fits, details));
        }
      }
      v1::SessionEvent event;
      *event.mutable_model_call_started() = std::move(call);
      raw->CommitOwn(std::move(event));
    });
  });
}

void ActiveSession::StartCall(const v1::ModelCallStarted& call) {
  const TurnState& turn = *state_.turn();
  const WallTime wall_now = services_.loop.WallNow();
  logged_wait_end_.reset();
  if (turn.wait) logged_wait_end_ = services_.loop.Now() + (FromTimestamp(turn.wait->wait().retry_at()) - wall_now);
  ModelCall::Owner* owner = this;
  call_ = std::make_unique<ModelCall>(services_.loop, services_.quota, BuildRequest(tenant_, session_id_, state_, call),
                                      PatienceLeft(turn, wall_now), owner);
  call_->Start();
}

void ActiveSession::ConsiderCompaction() {
  if (closed_ || preparing_ || state_.turn() != nullptr || state_.compaction() != nullptr) return;
  if (services_.compact_after_turn <= 0 || state_.newest_turn().model().empty()) return;
  preparing_ = true;
  const auto compact = [self = shared_from_this()](const grpc::Status& status,
                                                   const quota::v1::GetModelResponse& response) {
    self->preparing_ = false;
    self->Enqueue([raw = self.get(), status, response](const absl::Status& open) {
      if (!open.ok()) return;
      // A turn that began meanwhile was not to wait for this.
      if (raw->state_.turn() != nullptr || raw->state_.compaction() != nullptr) return raw->Next();
      if (status.ok()) raw->Compact(response, raw->services_.compact_after_turn);
    });
  };
  const std::string& model = state_.newest_turn().model();
  if (known_model_ && known_model_->first == model) return compact(grpc::Status::OK, known_model_->second);
  services_.quota.GetModel(model, compact);
}

bool ActiveSession::Compact(const quota::v1::GetModelResponse& model, double begin_at) {
  if (services_.compact_after_turn <= 0) return false;
  CompactionStep step = DecideCompaction(state_, model, begin_at, services_.compaction_target);
  v1::SessionEvent event;
  switch (step.kind) {
    case CompactionStep::Kind::kNone:
      return false;
    case CompactionStep::Kind::kCut:
      *event.mutable_context_compacted() = std::move(step.cut);
      break;
    case CompactionStep::Kind::kCall:
      // New even where a deleted session had the same name, as the ids of turns are.
      step.call.set_call_id(fmt::format("{}/compact/{}-{}", session_id_, state_.last_sequence() + 1, RandomId()));
      *event.mutable_compaction_call_started() = std::move(step.call);
      break;
  }
  CommitOwn(std::move(event));
  return true;
}

void ActiveSession::StartCompaction() {
  const v1::CompactionCallStarted& call = *state_.compaction();
  const TurnState* turn = state_.turn();
  logged_wait_end_.reset();
  ModelCall::Owner* owner = this;
  call_ = std::make_unique<ModelCall>(
      services_.loop, services_.quota, BuildCompactionRequest(tenant_, session_id_, state_, call),
      turn == nullptr ? services_.default_max_wait : PatienceLeft(*turn, services_.loop.WallNow()), owner);
  call_->Start();
}

bool ActiveSession::IsCompacting() const {
  return call_ != nullptr && state_.compaction() != nullptr && state_.compaction()->call_id() == call_->call_id();
}

void ActiveSession::EndCompaction(v1::SessionEvent event) {
  LetCallGo();
  CommitOwn(std::move(event));
}

void ActiveSession::FailTurn(const grpc::Status& status) { CommitOwn(TurnFailedEvent(*state_.turn(), status)); }

bool ActiveSession::Awaits(const std::string& call_id) const {
  const TurnState* turn = state_.turn();
  return turn != nullptr && turn->call && turn->call->call_id() == call_id;
}

void ActiveSession::OnCallWaiting(const quota::v1::Wait& wait) {
  wait_ = wait;
  wait_end_ = services_.loop.Now() + FromSeconds(wait.seconds());
  const bool from_here = wait.reason() == quota::v1::WAIT_REASON_QUOTA_SERVICE;
  const auto moved = [&] {
    const Duration by = std::chrono::abs(wait_end_ - *logged_wait_end_);
    return by > kLeastLoggedMove && by > FromSeconds(wait.seconds()) / 10;
  };
  if (!from_here && state_.turn() != nullptr && (!logged_wait_end_ || moved())) {
    logged_wait_end_ = wait_end_;
    Enqueue([this, call_id = call_->call_id(), wait](const absl::Status& open) {
      if (!open.ok() || state_.turn() == nullptr) return;
      const bool compacting = state_.compaction() != nullptr && state_.compaction()->call_id() == call_id;
      if (compacting || Awaits(call_id)) CommitOwn(WaitNotedEvent(state_.turn()->started.turn_id(), call_id, wait));
    });
  }
  // Not by way of the log: a short wait may be over before it is written.
  v1::WatchEvent event;
  *event.mutable_wait() = wait;
  Broadcast(event);
}

void ActiveSession::OnCallAdmitted(const quota::v1::Admitted& admitted) {
  wait_.reset();
  v1::WatchEvent event;
  *event.mutable_admitted() = admitted;
  Broadcast(event);
}

void ActiveSession::OnCallDelta(const quota::v1::Delta& delta) {
  wait_.reset();
  if (IsCompacting()) return;
  v1::WatchEvent event;
  *event.mutable_delta() = delta;
  Broadcast(event);
}

void ActiveSession::OnCallRestarted(const quota::v1::Restarted& restarted) {
  wait_.reset();
  if (IsCompacting()) return;
  v1::WatchEvent event;
  *event.mutable_restarted() = restarted;
  Broadcast(event);
}

// The call is let go when the queue comes to it: a commit that ends before must not find it gone, and begin it anew.
void ActiveSession::OnCallAnswered(std::vector<quota::v1::Item> items, const quota::v1::Completed& completed) {
  wait_.reset();
  Enqueue([this, call_id = call_->call_id(), items = std::move(items), completed](const absl::Status& open) mutable {
    if (!open.ok()) return;
    if (IsCompacting() && call_->call_id() == call_id)
      return EndCompaction(ConcludeCompaction(state_, *state_.compaction(), items, completed));
    if (!Awaits(call_id)) return;
    LetCallGo();
    CommitOwn(ModelAnsweredEvent(*state_.turn()->call, state_, std::move(items), completed));
  });
}

void ActiveSession::OnCallFailed(const grpc::Status& status) {
  wait_.reset();
  Enqueue([this, call_id = call_->call_id(), status](const absl::Status& open) {
    if (!open.ok()) return;
    if (IsCompacting() && call_->call_id() == call_id) {
      const bool no_use = status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                          status.error_code() == grpc::StatusCode::UNAVAILABLE;
      // The turn's next call would end the same way.
      if (state_.turn() != nullptr && no_use) return EndCompaction(TurnFailedEvent(*state_.turn(), status));
      return EndCompaction(CompactionFailedEvent(*state_.compaction(), status));
    }
    if (!Awaits(call_id)) return;
    LetCallGo();
    FailTurn(status);
  });
}

}  // namespace holdfast::agent
