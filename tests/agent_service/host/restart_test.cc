#include <map>

#include "tests/agent_service/host/forwarding_store.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Only what the digest of a request covers, and its key.
std::string Identity(quota::v1::GenerateRequest request) {
  request.clear_after_event();
  request.clear_after_incarnation();
  request.clear_max_wait();
  return request.SerializeAsString();
}

class HostRestart : public HostTest {
 protected:
  // All Generates of one call_id sent the same request; how many call_ids there were.
  size_t CallsSentAlike() {
    std::map<std::string, std::string> identities;
    for (const quota::v1::GenerateRequest& request : quota_.requests()) {
      const auto [found, fresh] = identities.emplace(request.call_id(), Identity(request));
      EXPECT_EQ(found->second, Identity(request)) << request.call_id();
    }
    return identities.size();
  }
};

TEST_F(HostRestart, WithNothingRunningAsksForNothing) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Said("hi")});
  Restart();
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostRestart, AfterTheTurnStartedBeginsItsCall) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  const TurnAnswer turn = Submit(id);
  Stop();
  quota_.ReleaseModels();
  Start();
  ASSERT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_EQ(quota_.requests()[0].call_id(), id + "/" + (*turn)->turn_id() + "/1");
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostRestart, AfterTheCallStartedAttachesToItFromTheStart) {
  const std::string id = CreateSession();
  Submit(id);
  Send(AdmittedAfter(0));
  Send(ItemOf(Said("half")));
  Restart();
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  EXPECT_EQ(quota_.requests()[1].after_event(), 0);
  EXPECT_EQ(quota_.requests()[1].after_incarnation(), "");
  EXPECT_EQ(CallsSentAlike(), 1U);
  AnswerCall({Said("half"), Said("whole")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
  EXPECT_EQ(Events(id)[3].model_answered().items_size(), 2);
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
}

TEST_F(HostRestart, AfterAWaitWasNotedAttachesAgain) {
  const std::string id = CreateSession();
  Submit(id);
  SendWait(30);
  Restart();
  EXPECT_EQ(CallsSentAlike(), 1U);
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 30", "answer", "completed"));
}

TEST_F(HostRestart, WhileToolsRunAwaitsTheirResultsAndCallsNoOne) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  Restart();
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_TRUE((*SubmitResult(id, "c1"))->accepted());
  AnswerCall({Said("done")});
  EXPECT_THAT(Log(id),
              ElementsAre("created", "turn", "call 1", "answer", "result c1", "call 2", "answer", "completed"));
}

TEST_F(HostRestart, AfterTheLastToolResultBeginsTheNextCall) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  quota_.HoldModels();
  SubmitResult(id, "c1");
  Stop();
  quota_.ReleaseModels();
  Start();
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  EXPECT_EQ(quota_.requests()[1].items_size(), 3);
  AnswerCall({Said("done")});
  EXPECT_EQ(Log(id).back(), "completed");
}

TEST_F(HostRestart, TakesUpEveryTurnThatRan) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(CreateSession());
    Submit(ids.back());
  }
  Restart();
  EXPECT_EQ(host_->active(), 20U);
  EXPECT_THAT(quota_.requests(), SizeIs(40));
  EXPECT_EQ(CallsSentAlike(), 20U);
}

// The process is killed at its n-th write: everything after it is lost, and its acknowledgement too where
// `acknowledged` is false.
class KilledStore final : public ForwardingStore {
 public:
  KilledStore(Store& to, int writes, bool acknowledged) : ForwardingStore(to), left_(writes), last_(acknowledged) {}

  void Append(AppendRequest request, Callback<int64_t> done) override {
    if (left_ == 0) return;
    if (--left_ == 0 && !last_) done = [](const absl::StatusOr<int64_t>&) {};
    ForwardingStore::Append(std::move(request), std::move(done));
  }

 private:
  int left_;
  const bool last_;
};

class HostKilled : public HostRestart, public testing::WithParamInterface<std::tuple<int, bool>> {
 protected:
  // As quota_service does: the same call has the same answer, however often it is asked for.
  FakeQuotaClient::Script Respond(const quota::v1::GenerateRequest& request) {
    FakeQuotaClient::Script script = request.call_id().ends_with("/1")
                                         ? AnswerOf({Said("let me look"), Asked("c1"), Asked("c2")}, 1)
                                         : AnswerOf({Said("done")});
    script.events.insert(script.events.begin(), {WaitOf(30, loop_.WallNow()), AdmittedAfter(1)});
    return script;
  }

  // A client that does what it is asked to, as often as it must.
  void Converse(const std::string& id) {
    Submit(id);
    SubmitResult(id, "c1", "one");
    SubmitResult(id, "c2", "two");
  }
};

TEST_P(HostKilled, TheTurnEndsAsIfNothingHadHappened) {
  const auto [writes, acknowledged] = GetParam();
  quota_.set_respond([this](const auto& request) { return Respond(request); });
  const std::string id = CreateSession();
  KilledStore killed(store_, writes, acknowledged);
  Restart(&killed);
  Converse(id);
  EXPECT_THAT(Events(id), SizeIs(1 + writes));
  Restart();
  Converse(id);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "wait 30", "answer", "result c1", "result c2", "call 2",
                                   "wait 30", "answer", "completed"));
  EXPECT_EQ(CallsSentAlike(), 2U);
  EXPECT_EQ(Summary(id).usage().input_tokens(), 200);
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(AtEveryWrite, HostKilled, testing::Combine(testing::Range(1, 11), testing::Bool()),
                         [](const auto& row) {
                           return std::to_string(std::get<0>(row.param)) +
                                  (std::get<1>(row.param) ? "Acknowledged" : "Unacknowledged");
                         });

class HostTurnThatWaitsForAClient : public HostTest {
 protected:
  std::weak_ptr<ActiveSession> InMemory(const std::string& id) {
    std::weak_ptr<ActiveSession> held;
    host_->With("team", id, [&held](auto session) { held = *session; });
    loop_.RunUntilIdle();
    return held;
  }
};

TEST_F(HostTurnThatWaitsForAClient, IsNotKeptInMemoryAndGoesOnWhenOneComes) {
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_EQ(InMemory(id).use_count(), 1);
  AnswerCall({Asked("c1"), Asked("c2")});
  const std::weak_ptr<ActiveSession> held = InMemory(id);
  EXPECT_FALSE(held.expired());
  loop_.Advance(seconds(2));
  EXPECT_TRUE(held.expired());
  EXPECT_EQ(host_->active(), 0U);

  EXPECT_TRUE((*SubmitResult(id, "c1"))->accepted());
  loop_.Advance(seconds(2));
  EXPECT_EQ(host_->active(), 0U) << "c2 is open";
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_TRUE((*SubmitResult(id, "c2"))->accepted());
  loop_.Advance(seconds(60));
  EXPECT_EQ(host_->active(), 1U) << "a call runs";
  AnswerCall({Said("done")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c1", "result c2", "call 2", "answer",
                                   "completed"));
}

TEST_F(HostTurnThatWaitsForAClient, IsLetGoAlsoByTheProcessThatTookItUp) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  Restart();
  EXPECT_EQ(host_->active(), 1U);
  loop_.Advance(seconds(4));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_TRUE((*Cancel(id))->cancelled());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "failed 1"));
}

}  // namespace
}  // namespace holdfast::agent
