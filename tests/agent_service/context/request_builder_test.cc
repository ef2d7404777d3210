#include "agent_service/context/request_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/base/utf8.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr size_t kMost = 64 * 1024;

quota::v1::GenerateRequest RequestAfter(std::vector<v1::SessionEvent> events) {
  const SessionState state = Fold(Numbered(std::move(events)));
  return BuildRequest("team", "session", state, *state.turn()->call);
}

std::vector<v1::SessionEvent> LogWithOutput(const std::string& output) {
  return {CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1), AnswerEvent({Asked("c1")}), ResultEvent("c1", output),
          CallEvent(2)};
}

std::string OutputSent(const std::string& output) {
  return RequestAfter(LogWithOutput(output)).items(2).tool_result().output();
}

TEST(BuildRequest, CarriesTheTurnAndTheConversation) {
  v1::SessionEvent turn = TurnEvent("k2", "second", "t2");
  turn.mutable_turn_started()->set_instructions("be brief");
  turn.mutable_turn_started()->add_tools()->set_name("shell");
  turn.mutable_turn_started()->set_model("other");
  turn.mutable_turn_started()->set_reasoning_effort("low");
  v1::SessionEvent call = CallEvent(1);
  call.mutable_model_call_started()->set_max_output_tokens(512);
  const auto request = RequestAfter({CreatedEvent(), TurnEvent("k1", "first"), CallEvent(1), AnswerEvent({Said("one")}),
                                     CompletedEvent(), turn, call});
  EXPECT_EQ(request.call_id(), "s/t1/1");
  EXPECT_EQ(request.tenant(), "team");
  EXPECT_EQ(request.session_id(), "session");
  EXPECT_EQ(request.model(), "other");
  EXPECT_EQ(request.instructions(), "be brief");
  EXPECT_EQ(request.reasoning_effort(), "low");
  EXPECT_EQ(request.max_output_tokens(), 512);
  ASSERT_EQ(request.tools_size(), 1);
  EXPECT_EQ(request.tools(0).name(), "shell");
  ASSERT_EQ(request.items_size(), 3);
  EXPECT_EQ(request.items(0).message().parts(0).text(), "first");
  EXPECT_EQ(request.items(1).message().parts(0).text(), "one");
  EXPECT_EQ(request.items(2).message().parts(0).text(), "second");
  EXPECT_TRUE(request.background()) << "nobody looks on";
  EXPECT_FALSE(request.has_max_wait());
  EXPECT_EQ(request.after_event(), 0);
}

TEST(BuildRequest, WhatSomebodyLooksAtIsNoBackground) {
  v1::SessionEvent turn = TurnEvent("k1", "first");
  turn.mutable_turn_started()->set_attended(true);
  EXPECT_FALSE(RequestAfter({CreatedEvent(), turn, CallEvent(1)}).background());
}

TEST(BuildRequest, TheSameLogGivesTheSameBytes) {
  const std::vector<v1::SessionEvent> log = Numbered(LogWithOutput(std::string(200'000, 'x')));
  const SessionState state = Fold(log);
  const std::string bytes = BuildRequest("team", "session", state, *state.turn()->call).SerializeAsString();
  SessionState read;
  for (const v1::SessionEvent& event : log) {
    v1::SessionEvent copy;
    ASSERT_TRUE(copy.ParseFromString(event.SerializeAsString()));
    read.Apply(copy);
  }
  EXPECT_EQ(BuildRequest("team", "session", read, *read.turn()->call).SerializeAsString(), bytes);
}

TEST(BuildRequest, WaitsAndUnknownEventsDoNotChangeTheBytes) {
  std::vector<v1::SessionEvent> events = LogWithOutput("short");
  const std::string bytes = RequestAfter(events).SerializeAsString();
  events.push_back(WaitEvent(7, 30));
  events.push_back(FutureEvent());
  EXPECT_EQ(RequestAfter(events).SerializeAsString(), bytes);
}

TEST(BuildRequest, LeavesOutWhatNoProviderTakesBack) {
  quota::v1::Item mute;
  mute.mutable_message()->set_role(quota::v1::ROLE_ASSISTANT);
  const auto request =
      RequestAfter({CreatedEvent(), TurnEvent("k1", "first"), CallEvent(1),
                    AnswerEvent({mute, quota::v1::Item(), Asked("c1")}), ResultEvent("c1", "r"), CallEvent(2)});
  ASSERT_EQ(request.items_size(), 3);
  EXPECT_TRUE(request.items(1).has_tool_call());
  EXPECT_TRUE(request.items(2).has_tool_result());
}

TEST(BuildRequest, SendsToolOutputUpTo64KibAsItIs) {
  const std::string output(kMost, 'x');
  EXPECT_EQ(OutputSent(output), output);
}

TEST(BuildRequest, CutsLongerToolOutputInTheMiddle) {
  const std::string output = "HEAD" + std::string(kMost, 'x') + std::string(kMost, 'y') + "TAIL";
  const std::string sent = OutputSent(output);
  EXPECT_LE(sent.size(), kMost);
  EXPECT_GT(sent.size(), kMost - 256);
  EXPECT_THAT(sent, AllOf(StartsWith("HEAD"), EndsWith("TAIL"), HasSubstr("bytes left out")));
}

TEST(BuildRequest, CutsToolOutputBetweenCharacters) {
  std::string output = "x";
  while (output.size() < 3 * kMost) output += "\U0001F310";
  const std::string sent = OutputSent(output);
  EXPECT_LE(sent.size(), kMost);
  EXPECT_TRUE(IsValidUtf8(sent));
}

quota::v1::GetModelResponse Model(int64_t window, int64_t largest) {
  quota::v1::GetModelResponse model;
  model.set_context_window(window);
  model.set_largest_admissible_tokens(largest);
  return model;
}

TEST(ContextCeiling, IsTheSmallerOfWindowAndLargestRequestLessTheOutputCap) {
  EXPECT_EQ(ContextCeiling(Model(200'000, 150'000), 10'000), 140'000);
  EXPECT_EQ(ContextCeiling(Model(128'000, 150'000), 10'000), 118'000);
  EXPECT_EQ(ContextCeiling(Model(128'000, 150'000), 0), 128'000);
}

TEST(ContextCeiling, UsesWhatIsKnown) {
  EXPECT_EQ(ContextCeiling(Model(0, 150'000), 1), 149'999);
  EXPECT_EQ(ContextCeiling(Model(128'000, 0), 1), 127'999);
  EXPECT_EQ(ContextCeiling(Model(0, 0), 1000), 0);
}

TEST(ContextCeiling, IsNeverTakenForUnknownWhenTheCapEatsItAll) {
  EXPECT_EQ(ContextCeiling(Model(1000, 0), 1000), 1);
  EXPECT_EQ(ContextCeiling(Model(1000, 0), std::numeric_limits<int64_t>::max()), 1);
}

// A request that is estimated at exactly so many tokens: characters / 4 + 2.
quota::v1::GenerateRequest RequestOf(int64_t tokens) {
  quota::v1::GenerateRequest request;
  request.set_instructions(std::string(static_cast<size_t>((tokens - 2) * 4), 'x'));
  return request;
}

TEST(CheckContext, TakesWhatJustFits) {
  EXPECT_TRUE(CheckContext(RequestOf(1000), Model(1000, 0)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckContext(RequestOf(1001), Model(1000, 0))));
}

TEST(CheckContext, CountsTheOutputCap) {
  quota::v1::GenerateRequest request = RequestOf(900);
  request.set_max_output_tokens(100);
  EXPECT_TRUE(CheckContext(request, Model(1000, 0)).ok());
  request.set_max_output_tokens(101);
  EXPECT_FALSE(CheckContext(request, Model(1000, 0)).ok());
}

TEST(CheckContext, RefusesNothingWhileNothingIsKnown) { EXPECT_TRUE(CheckContext(RequestOf(1'000'000), {}).ok()); }

TEST(CheckContext, NamesTheSizesAndTheRemedy) {
  quota::v1::GenerateRequest request = RequestOf(5000);
  request.set_max_output_tokens(100);
  const absl::Status status = CheckContext(request, Model(4000, 3000));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("5000"), HasSubstr("2900"), HasSubstr("window 4000"), HasSubstr("request 3000"),
                    HasSubstr("output cap 100"), HasSubstr("begin a new session")));
}

}  // namespace
}  // namespace holdfast::agent
