#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class HostCancel : public HostTest {};

TEST_F(HostCancel, WhileNothingRunsDoesNothing) {
  const std::string id = CreateSession();
  EXPECT_FALSE((*Cancel(id))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created"));
}

TEST_F(HostCancel, OfAnotherTurnDoesNothing) {
  const std::string id = CreateSession();
  const TurnAnswer turn = Submit(id);
  EXPECT_FALSE((*Cancel(id, "t99"))->cancelled());
  EXPECT_TRUE((*Cancel(id, (*turn)->turn_id()))->cancelled());
  EXPECT_FALSE((*Cancel(id, (*turn)->turn_id()))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 1"));
}

TEST_F(HostCancel, OfTheTurnOfAKeyLeavesTheTurnOfAnotherAlone) {
  const std::string id = CreateSession();
  Submit(id, Turn("k1", "hello"));
  EXPECT_FALSE((*Cancel(id, "", "k2"))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  EXPECT_TRUE((*Cancel(id, "", "k1"))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 1"));
}

TEST_F(HostCancel, BeforeTheCallIsBegunSendsNothing) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  Submit(id);
  EXPECT_TRUE((*Cancel(id))->cancelled());
  quota_.ReleaseModels();
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "failed 1"));
  EXPECT_THAT(quota_.requests(), IsEmpty());
}

TEST_F(HostCancel, BeforeTheCallIsBegunLetsTheNextTurnBeginItsOwn) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  Submit(id);
  Cancel(id);
  const TurnAnswer second = Submit(id, Turn("k2", "again"));
  quota_.ReleaseModels();
  loop_.RunUntilIdle();
  ASSERT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_EQ(quota_.requests()[0].call_id(), id + "/" + (*second)->turn_id() + "/1");
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "failed 1", "turn", "call 1"));
}

TEST_F(HostCancel, WhileTheCallWaitsOrRunsEndsItAtQuotaServiceToo) {
  for (const bool running : {false, true}) {
    const std::string id = CreateSession();
    Submit(id);
    SendWait(30);
    if (running) {
      Send(AdmittedAfter(0));
      Send(DeltaOf("m1", 0, "hel"));
    }
    EXPECT_TRUE((*Cancel(id))->cancelled());
    EXPECT_EQ(quota_.cancelled().back(), quota_.requests().back().call_id());
    EXPECT_FALSE(quota_.attached());
    EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 30", "failed 1"));
    EXPECT_EQ(LastFailure(id).message(), "cancelled");
  }
  EXPECT_THAT(observer_.outcomes, ElementsAre("cancelled", "cancelled"));
}

TEST_F(HostCancel, WhileTheLinkIsBrokenStopsAttaching) {
  const std::string id = CreateSession();
  Submit(id);
  EndCall(kBroken);
  Cancel(id);
  loop_.Advance(seconds(60));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_THAT(quota_.cancelled(), SizeIs(1));
}

TEST_F(HostCancel, WhileToolsRunLeavesResultsThatSaySo) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1"), Asked("c2")});
  SubmitResult(id, "c1", "one");
  EXPECT_TRUE((*Cancel(id))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c1", "failed 1"));
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
  Submit(id, Turn("k2", "go on"));
  const quota::v1::GenerateRequest& request = quota_.requests().back();
  ASSERT_EQ(request.items_size(), 6);
  EXPECT_EQ(request.items(4).tool_result().call_id(), "c2");
  EXPECT_TRUE(request.items(4).tool_result().is_error());
  EXPECT_EQ(request.items(5).message().parts(0).text(), "go on");
}

TEST_F(HostCancel, KeepsTheUsageOfTheTurn) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  Cancel(id);
  EXPECT_EQ(LastFailure(id).usage().input_tokens(), 100);
}

TEST_F(HostCancel, ThatCannotBeWrittenTellsTheCallerAndTheTurnGoesOn) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1, absl::ResourceExhaustedError("disk full"));
  const CancelAnswer answer = Cancel(id);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(absl::IsUnavailable(answer->status()));
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
  EXPECT_TRUE(quota_.attached());
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostCancel, TheAnswerThatComesMeanwhileIsDropped) {
  const std::string id = CreateSession();
  Submit(id);
  store_.HoldAppends();
  const CancelAnswer answer = Cancel(id);
  AnswerCall({Said("too late")});
  EXPECT_FALSE(answer.has_value());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_TRUE((*answer)->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 1"));
  loop_.Advance(seconds(2));
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostCancel, AFailureOfTheCancelledTurnsCallDoesNotFailTheNextTurn) {
  const std::string id = CreateSession();
  Submit(id);
  store_.HoldAppends();
  SendWait(30);
  const CancelAnswer cancelled = Cancel(id);
  const TurnAnswer next = Submit(id, Turn("k2"));
  EndCall({grpc::StatusCode::INVALID_ARGUMENT, "of the first turn"});
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_TRUE((*cancelled)->cancelled());
  ASSERT_TRUE(next.has_value() && next->ok());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 30", "failed 1", "turn", "call 1"));
}

TEST_F(HostCancel, AnAnswerOfTheCancelledTurnsCallIsNotTheNextTurns) {
  const std::string id = CreateSession();
  Submit(id);
  store_.HoldAppends();
  const CancelAnswer cancelled = Cancel(id);
  const TurnAnswer next = Submit(id, Turn("k2"));
  AnswerCall({Said("of the first turn")});
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 1", "turn", "call 1"));
  EXPECT_TRUE(quota_.attached());
  EXPECT_EQ(quota_.requests().back().call_id(), id + "/" + (*next)->turn_id() + "/1");
}

}  // namespace
}  // namespace holdfast::agent
