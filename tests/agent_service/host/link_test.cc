#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// The link to quota_service breaks, and the process at its other end goes away.
class HostLink : public HostTest {
 protected:
  // The items of the answer, as they were committed.
  std::vector<std::string> Answered(const std::string& id) {
    std::vector<std::string> texts;
    for (const v1::SessionEvent& event : Events(id)) {
      for (const quota::v1::Item& item : event.model_answered().items()) {
        texts.push_back(item.message().parts(0).text());
      }
    }
    return texts;
  }
};

TEST_F(HostLink, AttachesAgainFromItsCursor) {
  const std::string id = CreateSession();
  Submit(id);
  Send(AdmittedAfter(0));
  Send(ItemOf(Said("one")));
  EndCall(kBroken);
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  loop_.Advance(seconds(1));
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  const quota::v1::GenerateRequest& again = quota_.requests()[1];
  EXPECT_EQ(again.call_id(), quota_.requests()[0].call_id());
  EXPECT_EQ(again.after_event(), 2);
  EXPECT_EQ(again.after_incarnation(), "i1");
  AnswerCall({Said("two")});
  EXPECT_THAT(Answered(id), ElementsAre("one", "two"));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostLink, EveryKindOfBrokenLinkIsAttachedAgain) {
  const std::string id = CreateSession();
  Submit(id);
  size_t attached = 1;
  for (const grpc::StatusCode code :
       {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::UNKNOWN, grpc::StatusCode::INTERNAL,
        grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::CANCELLED, grpc::StatusCode::ABORTED,
        grpc::StatusCode::OK}) {  // OK without `completed` is no answer
    EndCall({code, "gone"});
    loop_.Advance(seconds(3));
    EXPECT_EQ(quota_.requests().size(), ++attached) << code;
  }
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 0"));
}

TEST_F(HostLink, RestartedVoidsTheItemsBeforeIt) {
  const std::string id = CreateSession();
  Submit(id);
  Send(AdmittedAfter(0));
  Send(ItemOf(Said("void")));
  Send(RestartedOf());
  AnswerCall({Said("valid")});
  EXPECT_THAT(Answered(id), ElementsAre("valid"));
}

TEST_F(HostLink, AnotherIncarnationIsReadFromItsStart) {
  const std::string id = CreateSession();
  Submit(id);
  Send(AdmittedAfter(0));
  Send(ItemOf(Said("void")));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  Send(RestartedOf("i2"));
  quota::v1::GenerateEvent item = ItemOf(Said("valid"));
  item.set_incarnation("i2");
  item.set_event(1);
  Send(item);
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  EXPECT_EQ(quota_.requests().back().after_incarnation(), "i2");
  EXPECT_EQ(quota_.requests().back().after_event(), 1);
  AnswerCall({});
  EXPECT_THAT(Answered(id), ElementsAre("valid"));
}

TEST_F(HostLink, AnAnswerThatIsWholeCountsThoughTheLinkBreaksBeforeTheEnd) {
  const std::string id = CreateSession();
  Submit(id);
  Send(ItemOf(Said("hi")));
  Send(CompletedWith(100, 10));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  EndCall(kBroken);
  loop_.Advance(minutes(1));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_THAT(Answered(id), ElementsAre("hi"));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostLink, TriesAgainSoonAndThenCalmly) {
  const std::string id = CreateSession();
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  Submit(id);
  loop_.Advance(seconds(1));
  const size_t soon = quota_.requests().size();
  EXPECT_GE(soon, 3U);
  EXPECT_LE(soon, 10U);
  loop_.Advance(seconds(60));
  const size_t later = quota_.requests().size() - soon;
  EXPECT_GE(later, 29U);
  EXPECT_LE(later, 40U);
}

TEST_F(HostLink, WithoutQuotaServiceTheTurnFailsWhenItsPatienceEnds) {
  const std::string id = CreateSession();
  quota_.SetModel(kBroken);
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  v1::SubmitTurnRequest turn = Turn();
  turn.mutable_max_wait()->set_seconds(60);
  Submit(id, turn);
  loop_.Advance(seconds(57));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 0"));
  loop_.Advance(seconds(4));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 0", "failed 14"));
  EXPECT_THAT(LastFailure(id).message(), HasSubstr("connection refused"));
  const size_t tried = quota_.requests().size();
  loop_.Advance(minutes(5));
  EXPECT_EQ(quota_.requests().size(), tried);
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostLink, NoPatienceAtAllFailsAtTheFirstBreakBeforeTheCallRuns) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest turn = Turn();
  turn.mutable_max_wait()->set_seconds(0);
  Submit(id, turn);
  EndCall(kBroken);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 14"));
}

// The bound is on waiting; what runs goes on at quota_service for a minute without a reader.
TEST_F(HostLink, ARunningCallIsAttachedAgainThoughNoPatienceIsLeft) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest turn = Turn();
  turn.mutable_max_wait()->set_seconds(0);
  Submit(id, turn);
  Send(AdmittedAfter(0));
  loop_.Advance(minutes(30));
  EndCall(kBroken);
  loop_.Advance(seconds(1));
  ASSERT_TRUE(quota_.attached());
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostLink, ARunningCallIsGivenUpOnceQuotaServiceHasGivenItUp) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest turn = Turn();
  turn.mutable_max_wait()->set_seconds(0);
  Submit(id, turn);
  Send(AdmittedAfter(0));
  quota_.set_respond([](const auto&) { return FakeQuotaClient::Script{{}, kBroken}; });
  EndCall(kBroken);
  loop_.Advance(seconds(57));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 0"));
  loop_.Advance(seconds(4));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 0", "failed 14"));
}

TEST_F(HostLink, AMessageWithInvalidBytesDoesNotSpoilTheLog) {
  const std::string id = CreateSession();
  Submit(id);
  EndCall({grpc::StatusCode::INVALID_ARGUMENT, "bad \xff\xfe bytes"});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 3"));
  EXPECT_EQ(LastFailure(id).message(), "bad \uFFFD\uFFFD bytes");
  EXPECT_TRUE(Submit(id, Turn("k2"))->ok());
}

}  // namespace
}  // namespace holdfast::agent
