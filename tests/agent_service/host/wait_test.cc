#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Which waits are written into the log.
class HostWait : public HostTest {
 protected:
  HostWait() : id_(CreateSession()) { Submit(id_); }

  std::vector<std::string> Noted() {
    std::vector<std::string> waits;
    for (const std::string& word : Log(id_)) {
      if (word.starts_with("wait") || word == "runs") waits.push_back(word);
    }
    return waits;
  }

  const std::string id_;
};

TEST_F(HostWait, TheFirstIsNotedAsItWasTold) {
  SendWait(30);
  EXPECT_THAT(Noted(), ElementsAre("wait 30"));
  const v1::WaitNoted noted = Events(id_).back().wait_noted();
  EXPECT_EQ(noted.call_id(), quota_.requests()[0].call_id());
  EXPECT_EQ(noted.wait().reason(), quota::v1::WAIT_REASON_RATE_LIMIT);
  EXPECT_TRUE(noted.wait().has_retry_at());
}

TEST_F(HostWait, TheSameEndToldAgainIsNotNotedAgain) {
  SendWait(30);
  loop_.Advance(seconds(10));
  SendWait(20);
  loop_.Advance(seconds(19));
  SendWait(1);
  EXPECT_THAT(Noted(), ElementsAre("wait 30"));
}

TEST_F(HostWait, AMoveOfMoreThanASecondAndATenthIsNoted) {
  SendWait(30);
  SendWait(33);  // a tenth, not more
  SendWait(34);
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 34"));
  SendWait(20);  // sooner counts too
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 34", "wait 20"));
}

TEST_F(HostWait, AMoveWithinASecondIsNotNoted) {
  SendWait(2);
  SendWait(2.9);
  EXPECT_THAT(Noted(), ElementsAre("wait 2"));
  SendWait(3.1);
  EXPECT_THAT(Noted(), ElementsAre("wait 2", "wait 3"));
}

TEST_F(HostWait, SmallMovesThatAddUpAreNoted) {
  SendWait(30);
  for (int i = 1; i <= 10; ++i) SendWait(30 + i);
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 34", "wait 38"));
}

TEST_F(HostWait, TheNextCallNotesItsOwn) {
  SendWait(30);
  AnswerCall({Asked("c1")});
  SubmitResult(id_, "c1");
  SendWait(30);
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 30"));
}

TEST_F(HostWait, IsNotNotedAgainAfterARestartUnlessItMoved) {
  SendWait(30);
  loop_.Advance(seconds(10));
  Restart();
  SendWait(20);
  EXPECT_THAT(Noted(), ElementsAre("wait 30"));
  SendWait(40);
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 40"));
}

TEST_F(HostWait, WithoutAnEndIsNotedAfterARestart) {
  quota::v1::GenerateEvent wait = WaitOf(30, loop_.WallNow());
  wait.mutable_wait()->clear_retry_at();
  Send(wait);
  Restart();
  Send(wait);
  EXPECT_THAT(Noted(), ElementsAre("wait 30", "wait 30"));
}

TEST_F(HostWait, ForQuotaServiceItselfIsNotedOnceAnOutage) {
  EndCall(kBroken);
  loop_.Advance(seconds(3));
  EXPECT_THAT(Noted(), IsEmpty()) << "a link that breaks is no outage";
  for (int i = 0; i < 5; ++i) {
    EndCall(kBroken);
    loop_.Advance(seconds(3));
  }
  ASSERT_THAT(Noted(), SizeIs(1));
  const v1::WaitNoted noted = Events(id_).back().wait_noted();
  EXPECT_EQ(noted.call_id(), quota_.requests()[0].call_id());
  EXPECT_EQ(noted.wait().reason(), quota::v1::WAIT_REASON_QUOTA_SERVICE);
  EXPECT_EQ(noted.wait().detail(), "UNAVAILABLE: connection refused");
  EXPECT_TRUE(noted.wait().has_retry_at());

  SendWait(30);
  EXPECT_THAT(Noted(), ElementsAre("wait 0", "wait 30")) << "it is there again";
  loop_.Advance(seconds(60));
  for (int i = 0; i < 5; ++i) {
    EndCall(kBroken);
    loop_.Advance(seconds(3));
  }
  EXPECT_THAT(Noted(), ElementsAre("wait 0", "wait 30", "wait 0"));
}

TEST_F(HostWait, ForQuotaServiceIsNotedOnceAMinuteHoweverOftenTheLinkBreaks) {
  const auto outages = [this](const auto& back) {
    for (int i = 0; i < 100; ++i) {  // six seconds each
      EndCall(kBroken);
      loop_.Advance(seconds(1));
      EndCall(kBroken);
      loop_.Advance(seconds(5));
      back();
    }
  };
  outages([this] { Send(AdmittedAfter(0)); });
  EXPECT_LE(Noted().size(), 2U * 11);
  EXPECT_GE(Noted().size(), 2U * 9) << "an outage that is news is noted";
  EXPECT_EQ(Noted().back(), "runs");
}

TEST_F(HostWait, AnOutageThatGoesOnIsNotedOnceTheMinuteIsOver) {
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  Send(AdmittedAfter(0));
  EXPECT_THAT(Noted(), ElementsAre("wait 0", "runs"));
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  EndCall(kBroken);
  loop_.Advance(seconds(50));
  EXPECT_THAT(Noted(), SizeIs(2));
  loop_.Advance(seconds(15));
  EXPECT_THAT(Noted(), SizeIs(3));
}

TEST_F(HostWait, AnOutageThatIsNotNotedLeavesTheNotedWaitAsItIs) {
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  SendWait(40);
  EndCall(kBroken);
  loop_.Advance(seconds(5));
  EndCall(kBroken);
  loop_.Advance(seconds(5));
  SendWait(30);
  EXPECT_THAT(Noted(), ElementsAre("wait 0", "wait 40"));
}

TEST_F(HostWait, TheEndOfAnOutageIsNotedAlsoAfterARestartInIt) {
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EndCall(kBroken);
  Restart();
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EXPECT_THAT(Noted(), ElementsAre("wait 0")) << "the same outage";
  Send(AdmittedAfter(0));
  EXPECT_THAT(Noted(), ElementsAre("wait 0", "runs"));
}

TEST_F(HostWait, ForQuotaServiceNamesNoAddress) {
  const grpc::Status inside{grpc::StatusCode::UNAVAILABLE,
                            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.1.2.3:7071: \xff Oops"};
  EndCall(inside);
  loop_.Advance(seconds(1));
  EndCall(inside);
  EXPECT_EQ(Events(id_).back().wait_noted().wait().detail(), "UNAVAILABLE: no connection");
  quota_.set_respond([inside](const auto&) { return FakeQuotaClient::Script{{}, inside}; });
  loop_.Advance(std::chrono::minutes(20));
  EXPECT_EQ(LastFailure(id_).message(),
            "quota_service could not be reached within the wait that is allowed: UNAVAILABLE: no connection");
}

TEST_F(HostWait, ThatGoesOnAfterAnOutageIsNotedAgainAlsoAcrossARestart) {
  SendWait(60);
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EndCall(kBroken);
  Restart();
  SendWait(50);
  EXPECT_THAT(Noted(), ElementsAre("wait 60", "wait 0", "wait 50"));
}

// The answer comes while the note of the wait is still being written: neither may disturb the other.
TEST_F(HostWait, AnAnswerDuringTheNoteIsCommittedOnceAndTheTurnGoesOn) {
  store_.HoldAppends();
  SendWait(1);
  AnswerCall({Asked("c1")});
  EXPECT_EQ(store_.held(), 1);
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(id_), ElementsAre("created", "turn", "call 1", "wait 1", "answer"));
  EXPECT_EQ(quota_.requests().size(), 1U) << "the call was begun a second time";
  SubmitResult(id_, "c1");
  ASSERT_EQ(quota_.requests().size(), 2U) << "the next call was not begun";
  AnswerCall({Said("done")});
  EXPECT_EQ(Log(id_).back(), "completed");
}

TEST_F(HostWait, AFailureDuringTheNoteEndsTheTurnAndLeavesNoCallBehind) {
  store_.HoldAppends();
  SendWait(1);
  EndCall({grpc::StatusCode::RESOURCE_EXHAUSTED, "too long"});
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(id_), ElementsAre("created", "turn", "call 1", "wait 1", "failed 8"));
  EXPECT_EQ(quota_.requests().size(), 1U) << "the call was begun a second time";
  loop_.Advance(seconds(2));
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostWait, AWaitOfACancelledTurnIsNotNotedInTheNextOne) {
  store_.HoldAppends();
  const CancelAnswer cancelled = Cancel(id_);
  const TurnAnswer next = Submit(id_, Turn("k2"));
  SendWait(30);
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(id_), ElementsAre("created", "turn", "call 1", "failed 1", "turn", "call 1"));
}

}  // namespace
}  // namespace holdfast::agent
