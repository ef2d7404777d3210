// The model calls of a session: what the log asks for next, and what comes of it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/context/compaction.h"
#include "agent_service/context/context_size.h"
#include "agent_service/context/request_builder.h"
#include "agent_service/host/active_session.h"
#include "agent_service/host/log_events.h"
#include "agent_service/session/timestamp.h"
#include "agent_service/turn/next_step.h"
#include "agent_service/turn/patience.h"
#include "common/base/random_id.h"
#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

// In a turn a context is compacted where it fills more of its room than this: estimates are estimates.
constexpr double kBeforeCall = 0.95;
// A wait is written into the log again when its end moves by more than this, and by a tenth.
constexpr Duration kLeastLoggedMove = std::chrono::seconds(1);
// Between two notes of one call that quota_service cannot be reached: a link that comes and goes must not fill the log.
constexpr Duration kBetweenOutageNotes = std::chrono::minutes(1);

// What a turn that begins, or a tool's result, adds to the conversation.
std::vector<quota::v1::Item> SaidIn(const v1::SessionEvent& event) {
  std::vector<quota::v1::Item> said(1);
  if (event.has_turn_started()) *said[0].mutable_message()->mutable_parts() = event.turn_started().input();
  if (event.has_tool_result_recorded()) *said[0].mutable_tool_result() = event.tool_result_recorded().result();
  return said;
}

}  // namespace

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
      if (call_ == nullptr && !preparing_) StartCall(next.call);
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

std::optional<v1::ModelCallStarted> ActiveSession::CallAtOnce(const v1::SessionEvent& event,
                                                              const SessionState& after) {
  if (!event.has_turn_started() && !event.has_tool_result_recorded()) return std::nullopt;
  NextStep next = DecideNextStep(session_id_, after);
  if (next.kind != NextStep::Kind::kBeginCall) return std::nullopt;
  const v1::TurnStarted& turn = after.turn()->started;
  const quota::v1::GetModelResponse* model = models_.Find(turn.model());
  if (model == nullptr) return std::nullopt;
  const ContextSize size = Grown(MeasureContext(state_, CountCodePoints(turn.instructions())), SaidIn(event));
  if (Fill(size, *model, next.call.max_output_tokens()) > kBeforeCall) return std::nullopt;
  known_model_.emplace(turn.model(), *model);
  at_once_ = next.call.call_id();
  return std::move(next.call);
}

void ActiveSession::PrepareCall(v1::ModelCallStarted call) {
  if (preparing_) return;
  preparing_ = true;
  const std::string model = state_.turn()->started.model();
  models_.Ask(model, [self = shared_from_this(), call = std::move(call)](
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

void ActiveSession::TakeUpNotes(const TurnState* turn) {
  logged_wait_end_.reset();
  outage_noted_.reset();
  outage_logged_ = turn != nullptr && IsCutOff(*turn);
  if (turn == nullptr || !turn->wait) return;
  const auto here = [this](WallTime time) { return services_.loop.Now() + (time - services_.loop.WallNow()); };
  if (outage_logged_) {
    // A clock that was set back must not put the next note off for long.
    outage_noted_ = std::min(services_.loop.Now(), here(FromTimestamp(turn->wait_time)));
  } else {
    logged_wait_end_ = here(FromTimestamp(turn->wait->wait().retry_at()));
  }
}

void ActiveSession::StartCall(const v1::ModelCallStarted& call) {
  const TurnState& turn = *state_.turn();
  const WallTime wall_now = services_.loop.WallNow();
  TakeUpNotes(&turn);
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
  models_.Ask(model, compact);
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
  TakeUpNotes(turn);
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

void ActiveSession::CompactInstead(const std::string& call_id, v1::SessionEvent failed) {
  preparing_ = true;
  models_.Ask(state_.turn()->started.model(),
              [self = shared_from_this(), call_id, failed = std::move(failed)](
                  const grpc::Status& status, const quota::v1::GetModelResponse& response) mutable {
                self->preparing_ = false;
                self->Enqueue([raw = self.get(), call_id, failed = std::move(failed), status,
                               response](const absl::Status& open) mutable {
                  if (!open.ok()) return;
                  // Cancelled meanwhile, perhaps.
                  if (!raw->Awaits(call_id)) return raw->Next();
                  if (!status.ok() || !raw->Compact(response, kBeforeCall)) raw->CommitOwn(std::move(failed));
                });
              });
}

void ActiveSession::FailTurn(const grpc::Status& status) { CommitOwn(TurnFailedEvent(*state_.turn(), status)); }

bool ActiveSession::Awaits(const std::string& call_id) const {
  const TurnState* turn = state_.turn();
  return turn != nullptr && turn->call && turn->call->call_id() == call_id;
}

void ActiveSession::OnCallWaiting(const quota::v1::Wait& wait) {
  const BootTime end = services_.loop.Now() + FromSeconds(wait.seconds());
  const auto moved = [&] {
    const Duration by = std::chrono::abs(end - *logged_wait_end_);
    return by > kLeastLoggedMove && by > FromSeconds(wait.seconds()) / 10;
  };
  const bool note = !logged_wait_end_ || moved();
  if (note) logged_wait_end_ = end;
  if (note) outage_logged_ = false;
  TellWait(wait, note);
}

void ActiveSession::OnCallCutOff(const quota::v1::Wait& wait) {
  const BootTime now = services_.loop.Now();
  const bool note = !outage_logged_ && (!outage_noted_ || now >= *outage_noted_ + kBetweenOutageNotes);
  if (note) {
    outage_logged_ = true;
    outage_noted_ = now;
    // Whatever it waits for afterwards is news.
    logged_wait_end_.reset();
  }
  TellWait(wait, note);
}

void ActiveSession::OnCallRuns() {
  if (std::exchange(outage_logged_, false)) NoteWait(std::nullopt);
}

void ActiveSession::NoteWait(const std::optional<quota::v1::Wait>& wait) {
  if (state_.turn() == nullptr) return;
  Enqueue([this, call_id = call_->call_id(), wait](const absl::Status& open) {
    if (!open.ok() || state_.turn() == nullptr) return;
    const bool compacting = state_.compaction() != nullptr && state_.compaction()->call_id() == call_id;
    if (compacting || Awaits(call_id)) CommitOwn(WaitNotedEvent(state_.turn()->started.turn_id(), call_id, wait));
  });
}

void ActiveSession::TellWait(const quota::v1::Wait& wait, bool note) {
  wait_ = wait;
  wait_end_ = services_.loop.Now() + FromSeconds(wait.seconds());
  if (note) NoteWait(wait);
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
    v1::SessionEvent failed = TurnFailedEvent(*state_.turn(), status);
    if (call_id == at_once_ && failed.turn_failed().never_fits()) return CompactInstead(call_id, std::move(failed));
    CommitOwn(std::move(failed));
  });
}

}  // namespace holdfast::agent
