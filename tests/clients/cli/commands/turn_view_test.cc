#include "clients/cli/commands/turn_view.h"

#include <gmock/gmock.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using agent::v1::SessionEvent;
using agent::v1::WatchEvent;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kTurn[] = "turn-1";

WatchEvent Durable(int64_t sequence) {
  WatchEvent event;
  event.mutable_event()->set_sequence(sequence);
  return event;
}

WatchEvent CaughtUp() {
  WatchEvent event;
  event.mutable_caught_up();
  return event;
}

WatchEvent Delta(const char* id, int64_t offset, const char* text) {
  WatchEvent event;
  event.mutable_delta()->set_item_id(id);
  event.mutable_delta()->set_channel(quota::v1::Delta::CHANNEL_TEXT);
  event.mutable_delta()->set_offset(offset);
  event.mutable_delta()->set_text(text);
  return event;
}

WatchEvent Answered(int64_t sequence, const char* id, const char* text, const char* call_id = nullptr) {
  WatchEvent event = Durable(sequence);
  auto* answered = event.mutable_event()->mutable_model_answered();
  answered->set_turn_id(kTurn);
  auto* message = answered->add_items()->mutable_message();
  message->set_role(quota::v1::ROLE_ASSISTANT);
  message->set_id(id);
  message->add_parts()->set_text(text);
  if (call_id != nullptr) answered->add_items()->mutable_tool_call()->set_call_id(call_id);
  return event;
}

WatchEvent Result(int64_t sequence, const char* call_id) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_tool_result_recorded()->set_turn_id(kTurn);
  event.mutable_event()->mutable_tool_result_recorded()->mutable_result()->set_call_id(call_id);
  return event;
}

WatchEvent Completed(int64_t sequence, const char* turn = kTurn) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_turn_completed()->set_turn_id(turn);
  return event;
}

template <typename T>
const T& Only(const std::vector<TurnChange>& changes) {
  EXPECT_THAT(changes, SizeIs(1));
  return std::get<T>(changes.at(0));
}

std::optional<quota::v1::ToolCall> Take(TurnView& view) {
  const auto call = view.OpenToolCall();
  if (call) view.TakeToolCall(call->call_id());
  return call;
}

WatchEvent Question(int64_t sequence, const char* id) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_approval_requested()->set_turn_id(kTurn);
  event.mutable_event()->mutable_approval_requested()->set_approval_id(id);
  return event;
}

WatchEvent Decided(int64_t sequence, const char* id) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_approval_decided()->set_turn_id(kTurn);
  event.mutable_event()->mutable_approval_decided()->set_approval_id(id);
  return event;
}

TEST(TurnView, OffersAQuestionThatNobodyHasAnsweredOnce) {
  TurnView view(kTurn, 3);
  EXPECT_EQ(Only<ApprovalAsked>(view.Fold(Question(4, "q1"))).asked.approval_id(), "q1");
  view.Fold(Question(5, "q2"));
  EXPECT_EQ(Only<ApprovalGiven>(view.Fold(Decided(6, "q1"))).decided.approval_id(), "q1");
  EXPECT_FALSE(view.TakeQuestion()) << "it may have been answered since";
  view.Fold(CaughtUp());
  EXPECT_EQ(view.TakeQuestion()->approval_id(), "q2");
  EXPECT_FALSE(view.TakeQuestion());
}

TEST(TurnView, OffersACallAgainThatWasPutBack) {
  TurnView view(kTurn, 3);
  view.Fold(CaughtUp());
  view.Fold(Answered(4, "m", "", "call-1"));
  ASSERT_TRUE(Take(view));
  view.PutBack("call-1");
  EXPECT_EQ(Take(view)->call_id(), "call-1");
}

TEST(TurnView, OffersNoToolBeforeTheStreamHasCaughtUp) {
  TurnView view(kTurn, 3);
  view.Fold(Answered(4, "m", "", "call-1"));
  EXPECT_FALSE(Take(view));
  view.Fold(CaughtUp());
  EXPECT_EQ(Take(view)->call_id(), "call-1");
}

TEST(TurnView, OffersAToolCallOnce) {
  TurnView view(kTurn, 3);
  view.Fold(CaughtUp());
  view.Fold(Answered(4, "m", "", "call-1"));
  EXPECT_TRUE(Take(view));
  EXPECT_FALSE(Take(view));
  view.OnStreamBroken();
  view.Fold(CaughtUp());
  EXPECT_FALSE(Take(view));
}

TEST(TurnView, OffersNoToolCallThatHasItsResult) {
  TurnView view(kTurn, 3);
  view.Fold(Answered(4, "m", "", "call-1"));
  view.Fold(Result(5, "call-1"));
  view.Fold(CaughtUp());
  EXPECT_FALSE(Take(view));
}

TEST(TurnView, OffersToolCallsInTheirOrder) {
  TurnView view(kTurn, 0);
  view.Fold(CaughtUp());
  WatchEvent event = Answered(4, "m", "", "first");
  event.mutable_event()->mutable_model_answered()->add_items()->mutable_tool_call()->set_call_id("second");
  view.Fold(event);
  EXPECT_EQ(Take(view)->call_id(), "first");
  EXPECT_EQ(Take(view)->call_id(), "second");
}

TEST(TurnView, SkipsWhatItHasSeen) {
  TurnView view(kTurn, 3);
  EXPECT_THAT(view.Fold(Answered(4, "m", "hello")), SizeIs(1));
  EXPECT_THAT(view.Fold(Answered(4, "m", "hello")), IsEmpty());
  EXPECT_EQ(view.cursor(), 4);
}

TEST(TurnView, SkipsOtherTurnsButRemembersTheirSequence) {
  TurnView view(kTurn, 3);
  EXPECT_THAT(view.Fold(Completed(4, "another")), IsEmpty());
  EXPECT_FALSE(view.ended());
  EXPECT_EQ(view.cursor(), 4);
}

TEST(TurnView, SkipsKindsThatItDoesNotKnow) {
  TurnView view(kTurn, 3);
  EXPECT_THAT(view.Fold(Durable(4)), IsEmpty());
  EXPECT_THAT(view.Fold(WatchEvent()), IsEmpty());
  EXPECT_EQ(view.cursor(), 4);
}

TEST(TurnView, TheAnswerIsTheTextOfTheLastModelAnswer) {
  TurnView view(kTurn, 0);
  view.Fold(Answered(1, "m1", "let me look", "call-1"));
  view.Fold(Result(2, "call-1"));
  view.Fold(Answered(3, "m2", "all is well"));
  view.Fold(Completed(4));
  EXPECT_TRUE(view.ended());
  EXPECT_EQ(view.answer(), "all is well");
}

TEST(TurnView, ARefusalIsAnAnswer) {
  TurnView view(kTurn, 0);
  WatchEvent event = Durable(1);
  auto* answered = event.mutable_event()->mutable_model_answered();
  answered->set_turn_id(kTurn);
  auto* message = answered->add_items()->mutable_message();
  message->set_role(quota::v1::ROLE_ASSISTANT);
  message->add_parts()->set_refusal("I will not");
  view.Fold(event);
  EXPECT_EQ(view.answer(), "I will not");
}

TEST(TurnView, GivesEveryPieceOfTextOnce) {
  TurnView view(kTurn, 0);
  const auto first = view.Fold(Delta("m", 0, "Hel"));
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(std::get<ItemBegun>(first[0]).id, "m");
  EXPECT_EQ(std::get<TextGrown>(first[1]).text, "Hel");
  EXPECT_THAT(view.Fold(Delta("m", 0, "Hel")), IsEmpty());
  EXPECT_EQ(Only<TextGrown>(view.Fold(Delta("m", 1, "ello"))).text, "lo");
  const auto done = view.Fold(Answered(1, "m", "Hello!"));
  EXPECT_EQ(Only<ItemDone>(done).rest, "!");
}

TEST(TurnView, AfterAGapTheCompletedItemBringsTheRest) {
  TurnView view(kTurn, 0);
  view.Fold(Delta("m", 0, "Hel"));
  view.OnStreamBroken();
  EXPECT_THAT(view.Fold(Delta("m", 9, "world")), IsEmpty());
  EXPECT_EQ(Only<ItemDone>(view.Fold(Answered(1, "m", "Hello, my world"))).rest, "lo, my world");
}

TEST(TurnView, TextThatIsNotHowTheMessageBeginsIsSaidToBeVoid) {
  TurnView view(kTurn, 0);
  view.Fold(Delta("m", 0, "Bonj"));
  EXPECT_FALSE(Only<ItemDone>(view.Fold(Answered(1, "m", "Hello"))).rest);
}

TEST(TurnView, ARestartVoidsTheText) {
  TurnView view(kTurn, 0);
  view.Fold(Delta("m", 0, "Bonj"));
  WatchEvent restarted;
  restarted.mutable_restarted()->set_cause("connection lost");
  EXPECT_EQ(Only<TextVoided>(view.Fold(restarted)).cause, "connection lost");
  EXPECT_THAT(view.Fold(Delta("n", 0, "Hello")), SizeIs(2));
  EXPECT_EQ(Only<ItemDone>(view.Fold(Answered(1, "n", "Hello"))).rest, "");
}

TEST(TurnView, ItemsWithoutAnIdKeepTheOneOfTheirDeltas) {
  TurnView view(kTurn, 0);
  view.Fold(Delta("generated", 0, "Hi"));
  const auto changes = view.Fold(Answered(1, "", "Hi there"));
  EXPECT_EQ(Only<ItemDone>(changes).id, "generated");
  EXPECT_EQ(Only<ItemDone>(changes).rest, " there");
}

// It may be written after the wait is over.
TEST(TurnView, AWaitInTheLogIsHistory) {
  TurnView view(kTurn, 0);
  WatchEvent noted = Durable(1);
  noted.mutable_event()->mutable_wait_noted()->set_turn_id(kTurn);
  EXPECT_THAT(view.Fold(noted), IsEmpty());
  view.Fold(CaughtUp());
  noted.mutable_event()->set_sequence(2);
  EXPECT_THAT(view.Fold(noted), IsEmpty());
  WatchEvent now;
  now.mutable_wait()->set_limit(7);
  EXPECT_EQ(Only<WaitAnnounced>(view.Fold(now)).wait.limit(), 7);
}

TEST(TurnView, AfterABrokenStreamAWaitMayBeOver) {
  TurnView view(kTurn, 0);
  view.Fold(CaughtUp());
  WatchEvent now;
  now.mutable_wait()->set_limit(7);
  view.Fold(now);
  view.OnStreamBroken();
  Only<WaitUnsure>(view.Fold(CaughtUp()));
}

WatchEvent Expired(int64_t last) {
  WatchEvent event;
  event.mutable_cursor_expired()->mutable_session()->set_last_sequence(last);
  return event;
}

WatchEvent Started(int64_t sequence) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_turn_started()->set_turn_id(kTurn);
  return event;
}

TEST(TurnView, AfterTheLogWentBackTheTurnIsToldFromItsBeginning) {
  TurnView view(kTurn, 1);
  view.Fold(Started(2));
  view.Fold(Answered(3, "m", "", "call-1"));
  view.Fold(CaughtUp());
  ASSERT_TRUE(Take(view));
  const auto went_back = Only<LogWentBack>(view.Fold(Expired(2)));
  EXPECT_EQ(went_back.seen, 3);
  EXPECT_EQ(went_back.last, 2);
  EXPECT_EQ(view.cursor(), 0);
  EXPECT_FALSE(view.OpenToolCall()) << "of what is void";
  view.Fold(Started(2));
  Only<WaitUnsure>(view.Fold(CaughtUp()));
  view.Fold(Answered(3, "m", "", "call-1"));
  EXPECT_EQ(view.OpenToolCall()->call_id(), "call-1") << "asked for again: the journal knows that it ran";
}

TEST(TurnView, ATurnThatTheLogHasNothingOfAnyMoreHasFailed) {
  TurnView view(kTurn, 1);
  view.Fold(Started(2));
  view.Fold(Expired(1));
  view.Fold(Durable(1));
  EXPECT_EQ(Only<TurnBroke>(view.Fold(CaughtUp())).failure.code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_TRUE(view.ended());
}

WatchEvent Salvaged(int64_t sequence, int64_t known) {
  WatchEvent event = Durable(sequence);
  event.mutable_event()->mutable_session_salvaged()->set_known_sequence(known);
  return event;
}

TEST(TurnView, ATurnWhoseEventsWereLostWithADamagedDatabaseHasFailedAndRunsNoTool) {
  TurnView view(kTurn, 1);
  view.Fold(Started(2));
  view.Fold(Answered(3, "m", "", "call-1"));
  const TurnBroke broke = Only<TurnBroke>(view.Fold(Salvaged(4, 9)));
  EXPECT_EQ(broke.failure.code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(broke.failure.turn_id(), kTurn);
  EXPECT_THAT(broke.failure.message(), testing::HasSubstr("events 4 to 9 were lost with a damaged database"));
  EXPECT_THAT(broke.failure.message(), testing::HasSubstr("holdfast sessions show"));
  EXPECT_TRUE(view.ended());
  view.Fold(CaughtUp());
  EXPECT_FALSE(view.OpenToolCall());
}

TEST(TurnView, ADatabaseThatWasDamagedBeforeTheTurnIsNoTroubleOfIts) {
  TurnView view(kTurn, 0);
  EXPECT_THAT(view.Fold(Salvaged(1, 9)), IsEmpty());
  view.Fold(Started(2));
  EXPECT_FALSE(view.ended());
}

TEST(TurnView, ATurnThatIsGoneWithoutAWordHasFailedOnce) {
  TurnView view(kTurn, 1);
  view.Fold(Started(2));
  EXPECT_EQ(Only<TurnBroke>(view.OnTurnGone()).failure.code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_TRUE(view.ended());
  EXPECT_THAT(view.OnTurnGone(), IsEmpty());
}

TEST(TurnView, AFailureEndsTheTurn) {
  TurnView view(kTurn, 0);
  WatchEvent failed = Durable(1);
  failed.mutable_event()->mutable_turn_failed()->set_turn_id(kTurn);
  failed.mutable_event()->mutable_turn_failed()->set_message("no");
  EXPECT_EQ(Only<TurnBroke>(view.Fold(failed)).failure.message(), "no");
  EXPECT_TRUE(view.ended());
}

}  // namespace
}  // namespace holdfast::cli
