#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::SizeIs;

// What is left of max_wait, as quota_service is told it.
class HostPatience : public HostTest {
 protected:
  static v1::SubmitTurnRequest TurnOf(int64_t max_wait_seconds) {
    v1::SubmitTurnRequest turn = Turn();
    turn.mutable_max_wait()->set_seconds(max_wait_seconds);
    return turn;
  }
};

TEST_F(HostPatience, ShrinksByTheWaitsOfEarlierCalls) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 100);
  AnswerCall({Asked("c1")}, 30.5);
  loop_.Advance(minutes(10));  // tools take their time
  SubmitResult(id, "c1");
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 69.5);
  AnswerCall({Asked("c2")}, 69.5);
  SubmitResult(id, "c2");
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 0);
}

TEST_F(HostPatience, ShrinksByTheWaitsOfEarlierCallsAlsoAcrossARestart) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  AnswerCall({Asked("c1")}, 30);
  Restart();
  SubmitResult(id, "c1");
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 70);
}

TEST_F(HostPatience, ShrinksByTheWaitUnderWayAcrossARestart) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(60);
  loop_.Advance(seconds(20));
  Restart();
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 80);
}

TEST_F(HostPatience, DoesNotShrinkByTheRunningOfTheCallAcrossARestart) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(10);
  loop_.Advance(seconds(10));
  Send(AdmittedAfter(10));
  loop_.Advance(minutes(20));
  Restart();
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 90);
}

TEST_F(HostPatience, ShrinksByTheWaitUnderWayWhenTheLinkBreaks) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(60);
  loop_.Advance(seconds(20));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  EXPECT_NEAR(MaxWaitSent(), 80, 0.2);
}

TEST_F(HostPatience, DoesNotShrinkByTheRunningOfTheCallWhenTheLinkBreaks) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(10);
  loop_.Advance(seconds(10));
  Send(AdmittedAfter(10));
  loop_.Advance(minutes(20));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EXPECT_NEAR(MaxWaitSent(), 90, 0.2);
}

TEST_F(HostPatience, BoundsTheSumOfTheWaitsBeforeAndAfterQuotaServiceWasAway) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(60);
  loop_.Advance(seconds(50));
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  EndCall(kBroken);
  loop_.Advance(seconds(47));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 60", "wait 0"));
  loop_.Advance(seconds(4));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 60", "wait 0", "failed 14"));
}

TEST_F(HostPatience, BoundsAnOutageOfQuotaServiceHoweverOftenAgentServiceIsRestartedInIt) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(60);
  loop_.Advance(seconds(10));
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  EndCall(kBroken);
  for (int i = 0; i < 5; ++i) {
    loop_.Advance(seconds(15));
    Restart();
    EXPECT_NEAR(MaxWaitSent(), 100 - 10 - 15 * (i + 1), 1);
  }
  loop_.Advance(seconds(16));
  EXPECT_EQ(Log(id).back(), "failed 14");
}

TEST_F(HostPatience, IsWhatAnOutageOfQuotaServiceLeftWhenAgentServiceIsRestartedAfterIt) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  EndCall(kBroken);
  loop_.Advance(seconds(40));
  quota_.set_respond(nullptr);
  loop_.Advance(seconds(2));
  Send(AdmittedAfter(0));
  loop_.Advance(minutes(20));
  Restart();
  EXPECT_NEAR(MaxWaitSent(), 60, 3);
}

TEST_F(HostPatience, CountsTheWaitThatALaterQuotaServiceDoesNotKnowOf) {
  const std::string id = CreateSession();
  Submit(id, TurnOf(100));
  SendWait(60);
  loop_.Advance(seconds(40));
  EndCall(kBroken);
  loop_.Advance(seconds(5));
  Send(RestartedOf("i2"));
  quota::v1::GenerateEvent wait = WaitOf(10, loop_.WallNow());
  wait.set_incarnation("i2");
  wait.set_event(1);
  Send(wait);
  loop_.Advance(seconds(10));
  AnswerCall({Asked("c1")}, 10);  // what the new process knows
  EXPECT_NEAR(Events(id).back().model_answered().waited_seconds(), 55, 0.1);
  SubmitResult(id, "c1");
  EXPECT_NEAR(MaxWaitSent(), 45, 0.1);
}

TEST_F(HostPatience, ReportsTheWaitAsQuotaServiceDoesWhenTheLinkHeld) {
  const std::string id = CreateSession();
  Submit(id);
  SendWait(3);
  loop_.Advance(seconds(4));
  AnswerCall({Said("hi")}, 3.25);
  EXPECT_DOUBLE_EQ(Events(id).back().turn_completed().waited_seconds(), 3.25);
}

}  // namespace
}  // namespace holdfast::agent
