#include "agent_service/turn/next_step.h"

#include <fmt/format.h>

#include "absl/status/status.h"
#include "agent_service/turn/plan_tool.h"

namespace holdfast::agent {

NextStep DecideNextStep(const std::string& session_id, const SessionState& state) {
  NextStep next;
  if (state.compaction() != nullptr) {
    next.kind = NextStep::Kind::kAwaitCompaction;
    return next;
  }
  const TurnState* turn = state.turn();
  if (turn == nullptr) return next;
  const v1::TurnStarted& started = turn->started;

  if (turn->call) {
    next.kind = NextStep::Kind::kAwaitCall;
    next.call = *turn->call;
    return next;
  }
  if (const quota::v1::ToolCall* call = OpenPlanCall(*turn)) {
    next.kind = NextStep::Kind::kUpdatePlan;
    *next.end.mutable_plan_updated() = UpdatePlan(started.turn_id(), *call);
    return next;
  }
  if (!turn->open_tools.empty()) {
    next.kind = NextStep::Kind::kAwaitTools;
    return next;
  }
  if (turn->answered) {
    next.kind = NextStep::Kind::kEnd;
    v1::TurnCompleted* completed = next.end.mutable_turn_completed();
    completed->set_turn_id(started.turn_id());
    *completed->mutable_usage() = turn->usage;
    completed->set_waited_seconds(turn->waited_seconds);
    return next;
  }
  if (turn->steps >= started.max_steps()) {
    next.kind = NextStep::Kind::kEnd;
    v1::TurnFailed* failed = next.end.mutable_turn_failed();
    failed->set_turn_id(started.turn_id());
    failed->set_code(static_cast<int32_t>(absl::StatusCode::kOutOfRange));
    failed->set_message(fmt::format("the turn reached its {} model calls; say how to go on", started.max_steps()));
    *failed->mutable_usage() = turn->usage;
    return next;
  }
  next.kind = NextStep::Kind::kBeginCall;
  next.call.set_turn_id(started.turn_id());
  next.call.set_step(turn->steps + 1);
  next.call.set_call_id(fmt::format("{}/{}/{}", session_id, started.turn_id(), turn->steps + 1));
  next.call.set_max_output_tokens(started.max_output_tokens());
  return next;
}

}  // namespace holdfast::agent
