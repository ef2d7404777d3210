#pragma once

#include "absl/status/status.h"
#include "agent_service/session/session_state.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// The tool `update_plan` is run here, where the plan is kept: no client runs it.

// The first call of it that has no result. Null: none, or the turn does not declare the tool.
const quota::v1::ToolCall* OpenPlanCall(const TurnState& turn);

// The event with the call's result: arguments {"plan": [{"step", "status"}], "explanation"}. Wrong ones change nothing,
// and the model is told what is wrong with them.
v1::PlanUpdated UpdatePlan(const std::string& turn_id, const quota::v1::ToolCall& call);

// INVALID_ARGUMENT names the field of a plan that UpdatePlan would not have kept like this.
absl::Status CheckPlan(const v1::Plan& plan);

}  // namespace holdfast::agent
