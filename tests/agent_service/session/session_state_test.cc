#include "agent_service/session/session_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "agent_service/session/timestamp.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

SessionState FoldOf(std::vector<v1::SessionEvent> events) { return Fold(Numbered(std::move(events))); }

// One line for each item: who, and what.
std::vector<std::string> Spoken(const SessionState& state) {
  std::vector<std::string> lines;
  for (const quota::v1::Item& item : state.conversation()) {
    if (item.has_message()) {
      const bool user = item.message().role() == quota::v1::ROLE_USER;
      lines.push_back((user ? "user: " : "model: ") + item.message().parts(0).text());
    } else if (item.has_tool_call()) {
      lines.push_back("call: " + item.tool_call().call_id());
    } else {
      lines.push_back("result: " + item.tool_result().call_id() + (item.tool_result().is_error() ? " error" : ""));
    }
  }
  return lines;
}

std::vector<std::string> OpenTools(const SessionState& state) {
  std::vector<std::string> ids;
  for (const quota::v1::ToolCall& call : state.turn()->open_tools) ids.push_back(call.call_id());
  return ids;
}

TEST(SessionState, CreatedSetsModelWorkspaceAndTimes) {
  const v1::Session summary = FoldOf({CreatedEvent("gpt", "/src")}).Summary();
  EXPECT_EQ(summary.model(), "gpt");
  EXPECT_EQ(summary.workspace(), "/src");
  EXPECT_EQ(FromTimestamp(summary.created()), LogTime(1));
  EXPECT_EQ(FromTimestamp(summary.updated()), LogTime(1));
  EXPECT_EQ(summary.last_sequence(), 1);
  EXPECT_EQ(summary.status(), v1::SESSION_STATUS_IDLE);
  EXPECT_EQ(summary.title(), "");
  EXPECT_EQ(summary.turn_id(), "");
}

TEST(SessionState, TurnStartedBeginsATurnWithTheUsersWords) {
  const SessionState state = FoldOf({CreatedEvent(), TurnEvent("k1", "hello")});
  ASSERT_NE(state.turn(), nullptr);
  EXPECT_EQ(state.turn()->started.client_key(), "k1");
  EXPECT_EQ(state.turn()->first_sequence, 2);
  EXPECT_EQ(state.turn()->steps, 0);
  EXPECT_FALSE(state.turn()->answered);
  EXPECT_THAT(Spoken(state), ElementsAre("user: hello"));
  EXPECT_EQ(state.Summary().status(), v1::SESSION_STATUS_MODEL);
  EXPECT_EQ(state.Summary().turn_id(), "t1");
  EXPECT_EQ(FromTimestamp(state.Summary().created()), LogTime(1));
  EXPECT_EQ(FromTimestamp(state.Summary().updated()), LogTime(2));
}

TEST(SessionState, TitleIsTheFirstLineOfTheFirstTextAndStays) {
  const SessionState state = FoldOf({CreatedEvent(), TurnEvent("k1", "fix the build\nand more"), CompletedEvent(),
                                     TurnEvent("k2", "another thing", "t3")});
  EXPECT_EQ(state.Summary().title(), "fix the build");
}

TEST(SessionState, TitleIsCutBetweenCharacters) {
  std::string text(79, 'a');
  text += "\u00e9 and the rest";
  EXPECT_EQ(FoldOf({CreatedEvent(), TurnEvent("k1", text)}).Summary().title(), std::string(79, 'a'));
}

TEST(SessionState, TitleWaitsForATurnThatHasText) {
  v1::SessionEvent image = TurnEvent("k1", "");
  image.mutable_turn_started()->mutable_input(0)->mutable_image()->set_url("https://example.com/a.png");
  EXPECT_EQ(FoldOf({CreatedEvent(), image}).Summary().title(), "");
  EXPECT_EQ(FoldOf({CreatedEvent(), image, CompletedEvent(), TurnEvent("k2", "words")}).Summary().title(), "words");
}

TEST(SessionState, FindsTurnsByTheirClientKeysAfterTheyEnded) {
  const SessionState state =
      FoldOf({CreatedEvent(), TurnEvent("k1", "a", "t2"), CompletedEvent(), TurnEvent("k2", "b", "t4")});
  ASSERT_NE(state.FindTurn("k1"), nullptr);
  EXPECT_EQ(state.FindTurn("k1")->turn_id(), "t2");
  EXPECT_EQ(state.FindTurn("k1")->sequence(), 2);
  ASSERT_NE(state.FindTurn("k2"), nullptr);
  EXPECT_EQ(state.FindTurn("k2")->sequence(), 4);
  EXPECT_EQ(state.FindTurn("k3"), nullptr);
}

TEST(SessionState, ModelCallStartedIsAwaitedUntilItsAnswer) {
  const std::vector<v1::SessionEvent> begun = {CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1)};
  const SessionState waiting = FoldOf(begun);
  ASSERT_TRUE(waiting.turn()->call);
  EXPECT_EQ(waiting.turn()->call->call_id(), "s/t1/1");
  EXPECT_EQ(waiting.turn()->steps, 1);

  std::vector<v1::SessionEvent> answered = begun;
  answered.push_back(AnswerEvent({Said("hi")}));
  const SessionState done = FoldOf(answered);
  EXPECT_FALSE(done.turn()->call);
  EXPECT_TRUE(done.turn()->answered);
  EXPECT_THAT(Spoken(done), ElementsAre("user: hello", "model: hi"));
}

TEST(SessionState, WaitsKeepTheNewestAndHowLongThoseBeforeItWere) {
  const SessionState state =
      FoldOf({CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1), WaitEvent(4, 30), WaitEvent(5, 60)});
  ASSERT_TRUE(state.turn()->wait);
  EXPECT_EQ(state.turn()->wait->wait().seconds(), 60);
  EXPECT_EQ(FromTimestamp(state.turn()->wait_time), LogTime(5));
  EXPECT_DOUBLE_EQ(state.turn()->noted_seconds, 1);
}

TEST(SessionState, AnAnswerAndTheNextCallForgetTheWait) {
  std::vector<v1::SessionEvent> events = {CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1), WaitEvent(4, 30),
                                          AnswerEvent({Asked("c1")}, 0, 0, 30)};
  EXPECT_FALSE(FoldOf(events).turn()->wait);
  EXPECT_DOUBLE_EQ(FoldOf(events).turn()->waited_seconds, 30);
  events.push_back(ResultEvent("c1", "ok"));
  events.push_back(CallEvent(2));
  EXPECT_FALSE(FoldOf(events).turn()->wait);
  events.push_back(WaitEvent(8, 5));
  EXPECT_EQ(FromTimestamp(FoldOf(events).turn()->wait_time), LogTime(8));
  EXPECT_DOUBLE_EQ(FoldOf(events).turn()->noted_seconds, 0);
}

TEST(SessionState, AToolResultClosesItsOwnCallOnly) {
  std::vector<v1::SessionEvent> events = {CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1),
                                          AnswerEvent({Said("let me look"), Asked("c1"), Asked("c2")})};
  EXPECT_THAT(OpenTools(FoldOf(events)), ElementsAre("c1", "c2"));
  EXPECT_FALSE(FoldOf(events).turn()->answered);
  EXPECT_EQ(FoldOf(events).Summary().status(), v1::SESSION_STATUS_TOOLS);
  events.push_back(ResultEvent("c2", "two"));
  EXPECT_THAT(OpenTools(FoldOf(events)), ElementsAre("c1"));
  EXPECT_EQ(FoldOf(events).Summary().status(), v1::SESSION_STATUS_TOOLS);
  events.push_back(ResultEvent("c1", "one"));
  EXPECT_THAT(OpenTools(FoldOf(events)), IsEmpty());
  EXPECT_EQ(FoldOf(events).Summary().status(), v1::SESSION_STATUS_MODEL);
  EXPECT_FALSE(FoldOf(events).turn()->answered);
  EXPECT_THAT(Spoken(FoldOf(events)),
              ElementsAre("user: hello", "model: let me look", "call: c1", "call: c2", "result: c2", "result: c1"));
}

TEST(SessionState, EveryToolCallHasAResultOnceItsTurnHasEnded) {
  for (const v1::SessionEvent& end : {FailedEvent(), CompletedEvent()}) {
    const SessionState state =
        FoldOf({CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1),
                AnswerEvent({Asked("c1"), Asked("c2"), Asked("c3")}), ResultEvent("c2", "done"), end});
    EXPECT_EQ(state.turn(), nullptr);
    EXPECT_THAT(Spoken(state), ElementsAre("user: hello", "call: c1", "call: c2", "call: c3", "result: c2",
                                           "result: c1 error", "result: c3 error"));
    EXPECT_THAT(state.conversation().back().tool_result().output(),
                testing::HasSubstr(end.has_turn_failed() ? "it may have run" : "not run"));
  }
}

TEST(SessionState, AnEndWithoutOpenCallsAddsNothing) {
  const SessionState state =
      FoldOf({CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1), AnswerEvent({Said("hi")}), CompletedEvent()});
  EXPECT_THAT(state.conversation(), SizeIs(2));
  EXPECT_EQ(state.Summary().status(), v1::SESSION_STATUS_IDLE);
  EXPECT_EQ(state.Summary().turn_id(), "");
}

TEST(SessionState, UsageIsSummedOverTheTurnAndOverTheSession) {
  const SessionState state =
      FoldOf({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), AnswerEvent({Said("x")}, 100, 10), FailedEvent(),
              TurnEvent("k2", "b"), CallEvent(1), AnswerEvent({Asked("c1")}, 1000, 20, 2.5), ResultEvent("c1", "r"),
              CallEvent(2), AnswerEvent({Said("y")}, 4000, 40, 1.5)});
  const quota::v1::Usage& turn = state.turn()->usage;
  EXPECT_EQ(turn.input_tokens(), 5000);
  EXPECT_EQ(turn.cached_input_tokens(), 2500);
  EXPECT_EQ(turn.output_tokens(), 60);
  EXPECT_EQ(turn.reasoning_tokens(), 30);
  EXPECT_DOUBLE_EQ(state.turn()->waited_seconds, 4);
  const quota::v1::Usage all = state.Summary().usage();
  EXPECT_EQ(all.input_tokens(), 5100);
  EXPECT_EQ(all.cached_input_tokens(), 2550);
  EXPECT_EQ(all.output_tokens(), 70);
  EXPECT_EQ(all.reasoning_tokens(), 35);
}

TEST(SessionState, UsageThatNoAnswerCanHaveEndsAtTheLargestNumber) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const SessionState state = FoldOf({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), AnswerEvent({}, kMost, kMost),
                                     CallEvent(2), AnswerEvent({}, kMost, -kMost)});
  EXPECT_EQ(state.Summary().usage().input_tokens(), kMost);
  EXPECT_EQ(state.Summary().usage().output_tokens(), 0);
}

TEST(SessionState, AnUnknownKindChangesOnlySequenceAndTime) {
  const std::vector<v1::SessionEvent> known = {CreatedEvent(), TurnEvent("k1", "hello"), CallEvent(1),
                                               AnswerEvent({Asked("c1")})};
  std::vector<v1::SessionEvent> more = known;
  more.push_back(FutureEvent());
  SessionState before = FoldOf(known);
  const SessionState after = FoldOf(more);
  EXPECT_EQ(after.last_sequence(), 5);
  EXPECT_EQ(FromTimestamp(after.Summary().updated()), LogTime(5));
  v1::Session expected = before.Summary();
  expected.set_last_sequence(5);
  *expected.mutable_updated() = after.Summary().updated();
  EXPECT_EQ(after.Summary().SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(Spoken(after), Spoken(before));
  EXPECT_EQ(OpenTools(after), OpenTools(before));
}

TEST(SessionState, EventsOfATurnThatDoesNotRunStartNone) {
  for (const v1::SessionEvent& stray : {CallEvent(1), WaitEvent(1, 1), AnswerEvent({Asked("c1")}, 7), CompletedEvent(),
                                        FailedEvent(), ResultEvent("c9", "late")}) {
    const SessionState state = FoldOf({CreatedEvent(), stray});
    EXPECT_EQ(state.turn(), nullptr) << stray.DebugString();
    EXPECT_EQ(state.Summary().status(), v1::SESSION_STATUS_IDLE) << stray.DebugString();
    EXPECT_EQ(state.last_sequence(), 2) << stray.DebugString();
  }
}

TEST(SessionState, ACopyAndASalvagedLogDoNotGoOnWithACompactionBetweenTurns) {
  v1::SessionEvent compacts;
  compacts.mutable_compaction_call_started()->set_call_id("original/compact/5-a");
  v1::SessionEvent due;
  due.mutable_context_compacted()->set_more(true);
  v1::SessionEvent forked;
  forked.mutable_session_forked();
  v1::SessionEvent imported;
  imported.mutable_session_imported();
  v1::SessionEvent salvaged;
  salvaged.mutable_session_salvaged();
  for (const v1::SessionEvent& end : {forked, imported, salvaged}) {
    const SessionState running = FoldOf({CreatedEvent(), TurnEvent("k1", "a"), CompletedEvent(), compacts, end});
    EXPECT_EQ(running.compaction(), nullptr) << end.ShortDebugString();
    const SessionState half = FoldOf({CreatedEvent(), TurnEvent("k1", "a"), CompletedEvent(), compacts, due, end});
    EXPECT_FALSE(half.compaction_due()) << end.ShortDebugString();
  }
}

}  // namespace
}  // namespace holdfast::agent
