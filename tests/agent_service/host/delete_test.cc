#include "tests/agent_service/host/forwarding_store.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class HostDelete : public HostTest {};

TEST_F(HostDelete, AnIdleSessionIsGone) {
  const std::string id = CreateSession();
  EXPECT_TRUE(Delete(id)->ok());
  EXPECT_TRUE(absl::IsNotFound(Submit(id)->status()));
  EXPECT_TRUE(absl::IsNotFound(*Delete(id)));
  loop_.Advance(seconds(2));
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostDelete, OfAnotherTenantsSessionIsNotFound) {
  const std::string id = CreateSession();
  Answer<absl::Status> answer;
  host_->Delete("rivals", id, answer.Callback());
  loop_.RunUntilIdle();
  EXPECT_TRUE(absl::IsNotFound(*answer));
  EXPECT_THAT(Log(id), ElementsAre("created"));
}

TEST_F(HostDelete, WhileATurnRunsEndsItsCall) {
  const std::string id = CreateSession();
  Submit(id);
  SendWait(30);
  EXPECT_TRUE(Delete(id)->ok());
  EXPECT_THAT(quota_.cancelled(), ElementsAre(quota_.requests()[0].call_id()));
  EXPECT_FALSE(quota_.attached());
  loop_.Advance(seconds(60));
  EXPECT_THAT(Events(id), IsEmpty());
  EXPECT_EQ(host_->active(), 0U);
  Restart();
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostDelete, WhileToolsRunForgetsTheirResults) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  EXPECT_TRUE(Delete(id)->ok());
  EXPECT_TRUE(absl::IsNotFound(SubmitResult(id, "c1")->status()));
}

TEST_F(HostDelete, WhileTheCallIsPreparedBeginsNone) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  Submit(id);
  EXPECT_TRUE(Delete(id)->ok());
  quota_.ReleaseModels();
  loop_.Advance(seconds(5));
  EXPECT_THAT(quota_.requests(), IsEmpty());
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostDelete, WhatIsAskedMeanwhileIsNotFoundAndBringsNothingBack) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  store_.HoldAppends();
  const Answer<absl::Status> deleted = Delete(id);
  const ResultAnswer result = SubmitResult(id, "c1");
  EXPECT_FALSE(deleted.has_value());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_TRUE(deleted->ok());
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(absl::IsNotFound(result->status())) << result->status();
  loop_.Advance(seconds(10));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostDelete, ClosesWhatWasLetGoAndLoadedAnewMeanwhile) {
  const std::string id = CreateSession();
  const auto session_now = [&] {
    std::shared_ptr<ActiveSession> session;
    host_->With("team", id, [&](auto loaded) {
      if (loaded.ok()) session = *loaded;
    });
    loop_.RunUntilIdle();
    return session;
  };
  const std::shared_ptr<ActiveSession> first = session_now();
  store_.HoldAppends();
  const Answer<absl::Status> deleted = Delete(id);
  loop_.Advance(seconds(3));
  const std::shared_ptr<ActiveSession> second = session_now();
  ASSERT_NE(second, nullptr);
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  ASSERT_TRUE(deleted->ok());
  EXPECT_TRUE(first->closed());
  EXPECT_TRUE(second->closed()) << "who watches it would never hear of the end";
}

TEST_F(HostDelete, AnAnswerThatComesMeanwhileIsNotWrittenForEver) {
  const std::string id = CreateSession();
  Submit(id);
  store_.HoldAppends();
  const Answer<absl::Status> deleted = Delete(id);
  AnswerCall({Said("hi")});
  store_.ReleaseAppends();
  loop_.Advance(seconds(10));
  EXPECT_TRUE(deleted->ok());
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostDelete, WhileTheLogCannotBeWrittenSucceedsAndStopsTrying) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1'000'000, absl::ResourceExhaustedError("disk full"));
  AnswerCall({Said("hi")});
  EXPECT_TRUE(Delete(id)->ok());
  EXPECT_TRUE(absl::IsNotFound(SubmitResult(id, "c1")->status()));
  loop_.Advance(seconds(3));
  EXPECT_EQ(host_->active(), 0U);
}

TEST_F(HostDelete, AskedTogetherWithOthersWhileItIsLoadedAnswersAll) {
  const std::string id = CreateSession();
  Answer<absl::Status> deleted;
  TurnAnswer turn;
  host_->Delete("team", id, deleted.Callback());
  host_->With("team", id, [done = turn.Callback()](auto session) mutable {
    if (!session.ok()) return done(session.status());
    (*session)->SubmitTurn(Turn(), std::move(done));
  });
  loop_.RunUntilIdle();
  EXPECT_TRUE(deleted->ok());
  ASSERT_TRUE(turn.has_value());
  EXPECT_TRUE(absl::IsNotFound(turn->status())) << turn->status();
}

class FailingDeletes final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void DeleteSession(std::string, std::string, Done done) override { done(absl::UnavailableError("disk is away")); }
};

TEST_F(HostDelete, ThatFailsLeavesTheTurnRunning) {
  FailingDeletes failing(store_);
  Restart(&failing);
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_TRUE(absl::IsUnavailable(*Delete(id)));
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
  Stop();
}

// quota_service keeps answered calls by their ids: the old session's answer must not become the new one's.
TEST_F(HostDelete, TheSameClientKeyThenMakesASessionWhoseCallsAreOthers) {
  const std::string id = CreateSession("job");
  Submit(id);
  AnswerCall({Said("old")});
  Delete(id);
  EXPECT_EQ(CreateSession("job"), id);
  Submit(id);
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  EXPECT_NE(quota_.requests()[0].call_id(), quota_.requests()[1].call_id());
}

}  // namespace
}  // namespace holdfast::agent
