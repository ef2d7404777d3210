#include "agent_service/turn/plan_tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent_service/turn/next_step.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::HasSubstr;

quota::v1::ToolCall PlanCall(const std::string& arguments) {
  quota::v1::ToolCall call = Asked("c1", "update_plan").tool_call();
  call.set_arguments(arguments);
  return call;
}

TEST(PlanTool, KeepsThePlan) {
  const v1::PlanUpdated updated = UpdatePlan(
      "t1",
      PlanCall(R"({"explanation":"why","plan":[{"step":"a","status":"completed"},{"step":"b","status":"pending"}]})"));
  ASSERT_TRUE(updated.has_plan());
  EXPECT_EQ(updated.plan().steps_size(), 2);
  EXPECT_EQ(updated.plan().steps(0).status(), "completed");
  EXPECT_EQ(updated.plan().explanation(), "why");
  EXPECT_EQ(updated.result().call_id(), "c1");
  EXPECT_FALSE(updated.result().is_error());
}

TEST(PlanTool, SaysWhatIsWrongWithArgumentsAndChangesNothing) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{}", "plan:"},
      {R"({"plan":[]})", "1 to 100 steps"},
      {R"({"plan":["a"]})", "an object"},
      {R"({"plan":[{"status":"pending"}]})", "step must say"},
      {R"({"plan":[{"step":"a","status":"later"}]})", "status must be"}};
  for (const auto& [arguments, why] : cases) {
    const v1::PlanUpdated updated = UpdatePlan("t1", PlanCall(arguments));
    EXPECT_FALSE(updated.has_plan()) << arguments;
    EXPECT_TRUE(updated.result().is_error());
    EXPECT_THAT(updated.result().output(), HasSubstr(why));
  }
}

TEST(PlanTool, IsRunHereWhereTheTurnDeclaresItAndByTheClientWhereNot) {
  v1::SessionEvent turn = TurnEvent("k1", "go");
  const std::vector<v1::SessionEvent> rest = {CallEvent(1),
                                              AnswerEvent({Asked("c1", "shell"), Asked("c2", "update_plan")})};
  const auto decide = [&](const v1::SessionEvent& started) {
    std::vector<v1::SessionEvent> log = {CreatedEvent(), started};
    log.insert(log.end(), rest.begin(), rest.end());
    return DecideNextStep("s", Fold(Numbered(log)));
  };
  EXPECT_EQ(decide(turn).kind, NextStep::Kind::kAwaitTools);
  turn.mutable_turn_started()->add_tools()->set_name("update_plan");
  const NextStep next = decide(turn);
  ASSERT_EQ(next.kind, NextStep::Kind::kUpdatePlan);
  EXPECT_EQ(next.end.plan_updated().result().call_id(), "c2");
}

}  // namespace
}  // namespace holdfast::agent
