#include "agent_service/turn/next_step.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using Kind = NextStep::Kind;

NextStep After(std::vector<v1::SessionEvent> events) {
  return DecideNextStep("session", Fold(Numbered(std::move(events))));
}

struct Row {
  const char* name;
  std::vector<v1::SessionEvent> events;
  Kind expected;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class NextStepTable : public testing::TestWithParam<Row> {};

TEST_P(NextStepTable, Decides) { EXPECT_EQ(After(GetParam().events).kind, GetParam().expected); }

std::vector<Row> Rows() {
  const v1::SessionEvent created = CreatedEvent();
  const v1::SessionEvent turn = TurnEvent("k1", "hello");
  const v1::SessionEvent asks = AnswerEvent({Said("let me look"), Asked("c1"), Asked("c2")});
  return {
      {"Empty", {}, Kind::kIdle},
      {"Created", {created}, Kind::kIdle},
      {"TurnStarted", {created, turn}, Kind::kBeginCall},
      {"CallStarted", {created, turn, CallEvent(1)}, Kind::kAwaitCall},
      {"Waiting", {created, turn, CallEvent(1), WaitEvent(4, 9)}, Kind::kAwaitCall},
      {"Answered", {created, turn, CallEvent(1), AnswerEvent({Said("hi")})}, Kind::kEnd},
      {"AnsweredWithNothing", {created, turn, CallEvent(1), AnswerEvent({})}, Kind::kEnd},
      {"ToolsAsked", {created, turn, CallEvent(1), asks}, Kind::kAwaitTools},
      {"OneToolOpen", {created, turn, CallEvent(1), asks, ResultEvent("c2", "r")}, Kind::kAwaitTools},
      {"AllToolsDone",
       {created, turn, CallEvent(1), asks, ResultEvent("c2", "r"), ResultEvent("c1", "r")},
       Kind::kBeginCall},
      {"SecondCall",
       {created, turn, CallEvent(1), AnswerEvent({Asked("c1")}), ResultEvent("c1", "r"), CallEvent(2)},
       Kind::kAwaitCall},
      {"AnsweredAfterTools",
       {created, turn, CallEvent(1), AnswerEvent({Asked("c1")}), ResultEvent("c1", "r"), CallEvent(2),
        AnswerEvent({Said("done")})},
       Kind::kEnd},
      // Some models have nothing to add to a tool's result; asking again would bill the same question up to max_steps.
      {"AnsweredWithNothingAfterTools",
       {created, turn, CallEvent(1), AnswerEvent({Asked("c1")}), ResultEvent("c1", "r"), CallEvent(2), AnswerEvent({})},
       Kind::kEnd},
      {"Completed", {created, turn, CallEvent(1), AnswerEvent({Said("hi")}), CompletedEvent()}, Kind::kIdle},
      {"Failed", {created, turn, CallEvent(1), FailedEvent()}, Kind::kIdle},
      {"NextTurnAfterDanglingTools",
       {created, turn, CallEvent(1), asks, FailedEvent(), TurnEvent("k2", "again")},
       Kind::kBeginCall},
      {"UnknownLast", {created, turn, CallEvent(1), FutureEvent()}, Kind::kAwaitCall},
  };
}

INSTANTIATE_TEST_SUITE_P(, NextStepTable, testing::ValuesIn(Rows()), [](const auto& row) { return row.param.name; });

TEST(NextStep, NamesACallBySessionTurnAndStep) {
  const NextStep first = After({CreatedEvent(), TurnEvent("k1", "a", "turn")});
  EXPECT_EQ(first.call.call_id(), "session/turn/1");
  EXPECT_EQ(first.call.step(), 1);
  EXPECT_EQ(first.call.turn_id(), "turn");
  const NextStep second = After(
      {CreatedEvent(), TurnEvent("k1", "a", "turn"), CallEvent(1), AnswerEvent({Asked("c1")}), ResultEvent("c1", "r")});
  EXPECT_EQ(second.call.call_id(), "session/turn/2");
  EXPECT_EQ(second.call.step(), 2);
}

TEST(NextStep, AttachesToABegunCallAsItWasWritten) {
  v1::SessionEvent call = CallEvent(1);
  call.mutable_model_call_started()->set_call_id("of an older version");
  call.mutable_model_call_started()->set_max_output_tokens(77);
  const NextStep next = After({CreatedEvent(), TurnEvent("k1", "a"), call, WaitEvent(4, 1)});
  EXPECT_EQ(next.call.call_id(), "of an older version");
  EXPECT_EQ(next.call.max_output_tokens(), 77);
}

TEST(NextStep, CarriesTheOutputCapOfTheTurn) {
  v1::SessionEvent turn = TurnEvent("k1", "a");
  turn.mutable_turn_started()->set_max_output_tokens(4096);
  EXPECT_EQ(After({CreatedEvent(), turn}).call.max_output_tokens(), 4096);
}

TEST(NextStep, CompletesWithTheTurnsUsageAndWaits) {
  const NextStep next =
      After({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), AnswerEvent({Asked("c1")}, 100, 10, 1.5),
             ResultEvent("c1", "r"), CallEvent(2), AnswerEvent({Said("done")}, 200, 20, 2)});
  ASSERT_TRUE(next.end.has_turn_completed());
  EXPECT_EQ(next.end.turn_completed().turn_id(), "t1");
  EXPECT_EQ(next.end.turn_completed().usage().input_tokens(), 300);
  EXPECT_EQ(next.end.turn_completed().usage().output_tokens(), 30);
  EXPECT_DOUBLE_EQ(next.end.turn_completed().waited_seconds(), 3.5);
}

TEST(NextStep, FailsTheTurnInsteadOfACallBeyondMaxSteps) {
  v1::SessionEvent turn = TurnEvent("k1", "a");
  turn.mutable_turn_started()->set_max_steps(1);
  EXPECT_EQ(After({CreatedEvent(), turn}).kind, Kind::kBeginCall);
  const NextStep next =
      After({CreatedEvent(), turn, CallEvent(1), AnswerEvent({Asked("c1")}, 100, 10), ResultEvent("c1", "r")});
  ASSERT_EQ(next.kind, Kind::kEnd);
  ASSERT_TRUE(next.end.has_turn_failed());
  EXPECT_EQ(next.end.turn_failed().code(), static_cast<int>(absl::StatusCode::kOutOfRange));
  EXPECT_NE(next.end.turn_failed().message().find("1 model calls"), std::string::npos);
  EXPECT_EQ(next.end.turn_failed().usage().input_tokens(), 100);
}

TEST(NextStep, LetsTheLastAllowedCallEndTheTurn) {
  v1::SessionEvent turn = TurnEvent("k1", "a");
  turn.mutable_turn_started()->set_max_steps(1);
  EXPECT_TRUE(After({CreatedEvent(), turn, CallEvent(1), AnswerEvent({Said("done")})}).end.has_turn_completed());
}

}  // namespace
}  // namespace holdfast::agent
