#include "agent_service/turn/plan_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <optional>
#include <string>

#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

namespace json = boost::json;

constexpr char kName[] = "update_plan";
constexpr int kMostSteps = 100;
constexpr size_t kMostStepBytes = 500;
constexpr size_t kMostExplanationBytes = 2000;

// The text of a member, or nothing.
std::optional<std::string> TextOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->as_string().data(), value->as_string().size());
}

bool IsStatus(const std::string& status) {
  return status == "pending" || status == "in_progress" || status == "completed";
}

// What is wrong; empty: nothing.
std::string ReadPlan(const std::string& arguments, v1::Plan* plan) {
  json::error_code error;
  const json::value value = json::parse(arguments, error);
  if (error || !value.is_object()) return "the arguments must be a JSON object";
  const json::value* steps = value.as_object().if_contains("plan");
  if (steps == nullptr || !steps->is_array()) return "plan: must be a list of steps";
  if (steps->as_array().empty() || steps->as_array().size() > kMostSteps)
    return fmt::format("plan: must have 1 to {} steps", kMostSteps);
  for (const json::value& entry : steps->as_array()) {
    if (!entry.is_object()) return "plan: each step must be an object with step and status";
    const auto step = TextOf(entry.as_object(), "step");
    const auto status = TextOf(entry.as_object(), "status");
    if (!step || step->empty()) return "plan: step must say what is to be done";
    if (!status || !IsStatus(*status)) return "plan: status must be pending, in_progress or completed";
    v1::PlanStep* out = plan->add_steps();
    out->set_step(std::string(TruncateUtf8(*step, kMostStepBytes)));
    out->set_status(*status);
  }
  plan->set_explanation(
      std::string(TruncateUtf8(TextOf(value.as_object(), "explanation").value_or(""), kMostExplanationBytes)));
  return {};
}

}  // namespace

const quota::v1::ToolCall* OpenPlanCall(const TurnState& turn) {
  const auto& tools = turn.started.tools();
  if (std::none_of(tools.begin(), tools.end(), [](const auto& tool) { return tool.name() == kName; })) return nullptr;
  const auto call = std::find_if(turn.open_tools.begin(), turn.open_tools.end(),
                                 [](const quota::v1::ToolCall& open) { return open.name() == kName; });
  return call == turn.open_tools.end() ? nullptr : &*call;
}

v1::PlanUpdated UpdatePlan(const std::string& turn_id, const quota::v1::ToolCall& call) {
  v1::PlanUpdated updated;
  updated.set_turn_id(turn_id);
  updated.mutable_result()->set_call_id(call.call_id());
  v1::Plan plan;
  const std::string wrong = ReadPlan(call.arguments(), &plan);
  if (wrong.empty()) {
    *updated.mutable_plan() = std::move(plan);
    updated.mutable_result()->set_output("The plan is kept.");
  } else {
    updated.mutable_result()->set_output("The plan was not changed: " + wrong);
    updated.mutable_result()->set_is_error(true);
  }
  return updated;
}

absl::Status CheckPlan(const v1::Plan& plan) {
  const auto bad = [](const std::string& what) { return absl::InvalidArgumentError(what); };
  if (plan.steps_size() > kMostSteps) return bad(fmt::format("plan.steps: must be at most {}", kMostSteps));
  for (int i = 0; i < plan.steps_size(); ++i) {
    const v1::PlanStep& step = plan.steps(i);
    if (step.step().empty() || step.step().size() > kMostStepBytes)
      return bad(fmt::format("plan.steps[{}].step: must be 1 to {} bytes", i, kMostStepBytes));
    if (!IsStatus(step.status()))
      return bad(fmt::format("plan.steps[{}].status: must be pending, in_progress or completed", i));
  }
  if (plan.explanation().size() > kMostExplanationBytes)
    return bad(fmt::format("plan.explanation: must be at most {} bytes", kMostExplanationBytes));
  return absl::OkStatus();
}

}  // namespace holdfast::agent
