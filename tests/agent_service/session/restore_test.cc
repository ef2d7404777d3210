#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent_service/session/session_state.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::ElementsAre;

std::vector<std::string> Words(const SessionState& state) {
  std::vector<std::string> words;
  for (const quota::v1::Item& item : state.conversation()) {
    if (item.has_message()) words.push_back(item.message().parts(0).text());
    if (item.has_tool_call()) words.push_back("call " + item.tool_call().call_id());
    if (item.has_tool_result()) words.push_back("result " + item.tool_result().call_id());
  }
  return words;
}

v1::SessionEvent Snapshot(const std::string& name, int64_t at) {
  v1::SessionEvent event;
  event.mutable_snapshot_taken()->set_name(name);
  event.mutable_snapshot_taken()->set_at_sequence(at);
  return event;
}

v1::SessionEvent Restored(int64_t to, const std::string& key = "") {
  v1::SessionEvent event;
  event.mutable_session_restored()->set_to_sequence(to);
  event.mutable_session_restored()->set_client_key(key);
  return event;
}

v1::SessionEvent Forked() {
  v1::SessionEvent event;
  event.mutable_session_forked()->set_from_session_id("other");
  return event;
}

const std::vector<v1::SessionEvent> kTwoTurns = {CreatedEvent(),
                                                 TurnEvent("k1", "one"),
                                                 CallEvent(1),
                                                 AnswerEvent({Said("uno")}),
                                                 CompletedEvent(),  // 5
                                                 TurnEvent("k2", "two"),
                                                 CallEvent(1),
                                                 AnswerEvent({Said("dos")}),
                                                 CompletedEvent()};  // 9

std::vector<v1::SessionEvent> AndThen(std::vector<v1::SessionEvent> events, std::vector<v1::SessionEvent> more) {
  events.insert(events.end(), more.begin(), more.end());
  return Numbered(events);
}

TEST(Restore, GivesTheConversationOfThatEventAndSequencesCountOn) {
  const SessionState state = Fold(AndThen(kTwoTurns, {Restored(5)}));
  EXPECT_THAT(Words(state), ElementsAre("one", "uno"));
  EXPECT_EQ(state.last_sequence(), 10);
  EXPECT_EQ(state.Summary().title(), "one");
}

TEST(Restore, CanBeUndone) {
  const SessionState state = Fold(AndThen(kTwoTurns, {Restored(5), Restored(9)}));
  EXPECT_THAT(Words(state), ElementsAre("one", "uno", "two", "dos"));
}

TEST(Restore, ToTheMiddleOfATurnLeavesNoToolWithoutResult) {
  const SessionState state = Fold(AndThen(
      {CreatedEvent(), TurnEvent("k1", "one"), CallEvent(1), AnswerEvent({Asked("c1"), Asked("c2")}),
       ResultEvent("c1", "r"), ResultEvent("c2", "r"), CallEvent(2), AnswerEvent({Said("uno")}), CompletedEvent()},
      {Restored(5)}));
  EXPECT_EQ(state.turn(), nullptr);
  EXPECT_THAT(Words(state), ElementsAre("one", "call c1", "call c2", "result c1", "result c2"));
  EXPECT_TRUE(state.conversation().back().tool_result().is_error());
}

TEST(Restore, KeepsKeysOfTurnsAndIdsOfToolCallsThatWereLeft) {
  const SessionState state =
      Fold(AndThen({CreatedEvent(), TurnEvent("k1", "one"), CallEvent(1), AnswerEvent({Asked("c1")}), FailedEvent()},
                   {Restored(1, "r1")}));
  EXPECT_THAT(Words(state), ElementsAre());
  EXPECT_NE(state.FindTurn("k1"), nullptr);
  EXPECT_TRUE(state.HasToolCall("c1"));
  ASSERT_NE(state.FindRestore("r1"), nullptr);
  EXPECT_EQ(state.FindRestore("r1")->left_at(), 5);
}

TEST(Snapshots, NameAnEventAndTheNewestOfANameCounts) {
  const SessionState state = Fold(AndThen(kTwoTurns, {Snapshot("a", 5), Snapshot("a", 9)}));
  EXPECT_EQ(state.FindSnapshot("a"), 9);
  EXPECT_EQ(state.FindSnapshot("b"), std::nullopt);
  EXPECT_TRUE(state.IsPresent(9));
  EXPECT_FALSE(state.IsPresent(5));
  EXPECT_TRUE(Fold(AndThen(kTwoTurns, {Restored(5)})).IsPresent(5));
}

TEST(Forks, EndTheTurnThatRan) {
  const SessionState state =
      Fold(AndThen({CreatedEvent(), TurnEvent("k1", "one"), CallEvent(1), AnswerEvent({Asked("c1")})}, {Forked()}));
  EXPECT_EQ(state.turn(), nullptr);
  EXPECT_THAT(Words(state), ElementsAre("one", "call c1", "result c1"));
}

}  // namespace
}  // namespace holdfast::agent
