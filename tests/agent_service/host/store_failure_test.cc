#include "agent_service/host/log_row.h"
#include "common/rpc/status.h"
#include "tests/agent_service/host/forwarding_store.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const absl::Status kDiskFull = absl::ResourceExhaustedError("disk full");

// The store does not take an event.
class HostStoreFailure : public HostTest {
 protected:
  static void ExpectToldToTryAgain(const absl::Status& status) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("disk full"));
    EXPECT_TRUE(DetailsOf(ToGrpc(status)).retry_delay) << "how clients tell it from a service that is away";
  }
  // What another writer would add.
  void AppendFromElsewhere(const std::string& id, int64_t after) {
    AppendRequest append;
    append.session.tenant = "team";
    append.session.session_id = id;
    append.session.running = true;
    append.session.summary = Summary(id).SerializeAsString();
    append.expected_sequence = after;
    append.generation = 1;
    append.events.push_back(RowOfEvent(FutureEvent(), loop_.WallNow()));
    Answer<absl::StatusOr<int64_t>> appended;
    store_.Append(std::move(append), appended.Callback());
    loop_.RunUntilIdle();
    ASSERT_TRUE(appended->ok()) << appended->status();
  }
};

TEST_F(HostStoreFailure, AnAnswerIsTriedAgainUntilItIsCommittedOnce) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(3, kDiskFull);
  AnswerCall({Said("hi")});
  loop_.Advance(seconds(2));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  EXPECT_EQ(host_->active(), 1U);
  loop_.Advance(seconds(2));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostStoreFailure, WhatIsAskedMeanwhileIsRefusedWithTheReasonAndTheTurnGoesOnByItself) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(3, kDiskFull);
  AnswerCall({Asked("c1")});
  EXPECT_EQ(observer_.stalled, 1);
  const ResultAnswer result = SubmitResult(id, "c1");
  const TurnAnswer turn = Submit(id, Turn("k2"));
  const CancelAnswer cancel = Cancel(id);
  for (const absl::Status& status : {result->status(), turn->status(), cancel->status()}) {
    ExpectToldToTryAgain(status);
  }
  loop_.Advance(seconds(4));
  EXPECT_EQ(observer_.stalled, 0);
  EXPECT_TRUE((*SubmitResult(id, "c1"))->accepted());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c1", "call 2"));
}

TEST_F(HostStoreFailure, WhatWasAskedJustBeforeIsRefusedTooAndNotLeftToItsDeadline) {
  const std::string id = CreateSession();
  Submit(id);
  store_.HoldAppends();
  FakeQuotaClient::Script script = AnswerOf({Asked("c1")});
  for (auto& event : script.events) quota_.Send(std::move(event));
  quota_.End(*script.end);
  loop_.RunUntilIdle();
  const TurnAnswer turn = Submit(id, Turn("k2"));
  EXPECT_FALSE(turn.has_value());
  store_.FailNextAppends(1, kDiskFull);
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  ASSERT_TRUE(turn.has_value());
  EXPECT_TRUE(absl::IsUnavailable(turn->status())) << turn->status();
}

TEST_F(HostStoreFailure, AnEventThatTheStoreNeverTakesIsNoTroubleOfOtherSessions) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1, absl::InvalidArgumentError("no such event"));
  AnswerCall({Said("hi")});
  EXPECT_EQ(observer_.stalled, 0) << "readiness is that of the store";
  EXPECT_TRUE(absl::IsUnavailable((*Cancel(id)).status())) << "the session itself is stalled";
  store_.FailNextAppends(1, kDiskFull);
  loop_.Advance(seconds(1));
  EXPECT_EQ(observer_.stalled, 1);
  loop_.Advance(seconds(2));
  EXPECT_EQ(observer_.stalled, 0);
}

TEST_F(HostStoreFailure, AStallThatTurnsOutToBeTheSessionsOwnIsNoTroubleOfOtherSessionsAnyMore) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1, kDiskFull);
  AnswerCall({Said("hi")});
  EXPECT_EQ(observer_.stalled, 1);
  store_.FailNextAppends(1'000, absl::InternalError("no such event"));
  loop_.Advance(seconds(2));
  EXPECT_EQ(observer_.stalled, 0);
  EXPECT_TRUE(absl::IsUnavailable((*Cancel(id)).status())) << "the session itself is stalled";
  store_.FailNextAppends(0, absl::OkStatus());
}

TEST_F(HostStoreFailure, ThatMeetsAClientsEventTellsOfTheStoreToo) {
  const std::string id = CreateSession();
  EXPECT_TRUE(observer_.store_takes);
  store_.FailNextAppends(1, kDiskFull);
  Submit(id);
  EXPECT_FALSE(observer_.store_takes);
  EXPECT_EQ(observer_.stalled, 0) << "nothing of the session waits";
  Submit(id);
  EXPECT_TRUE(observer_.store_takes);
  AnswerCall({Asked("c1")});
  store_.FailNextAppends(1, absl::InternalError("no such event"));
  SubmitResult(id, "c1");
  EXPECT_TRUE(observer_.store_takes) << "of that event alone";
}

TEST_F(HostStoreFailure, ClosingOrDeletingEndsTheStall) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1, kDiskFull);
  AnswerCall({Said("hi")});
  EXPECT_EQ(observer_.stalled, 1);
  EXPECT_TRUE(Delete(id)->ok());
  EXPECT_EQ(observer_.stalled, 0);

  const std::string other = CreateSession();
  Submit(other);
  store_.FailNextAppends(1, kDiskFull);
  AnswerCall({Said("hi")});
  EXPECT_EQ(observer_.stalled, 1);
  host_->Close();
  EXPECT_EQ(observer_.stalled, 0);
}

// Reads fail until it is told otherwise.
class UnreadableStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  void ListRunning(Callback<std::vector<SessionRow>> done) override {
    if (lists_fail-- > 0) return done(failure);
    ForwardingStore::ListRunning(std::move(done));
  }
  void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
            Callback<std::vector<LogRow>> done) override {
    if (reads_fail-- > 0) return done(failure);
    ForwardingStore::Read(std::move(tenant), std::move(session_id), after_sequence, limit, std::move(done));
  }

  absl::Status failure = absl::UnavailableError("disk I/O error");
  int lists_fail = 0;
  int reads_fail = 0;
};

TEST_F(HostStoreFailure, ARunningTurnThatCannotBeReadAtStartIsTakenUpWhenItCan) {
  const std::string id = CreateSession();
  Submit(id);
  UnreadableStore store(store_);
  store.reads_fail = 3;
  Restart(&store);
  EXPECT_TRUE(resumed_);
  EXPECT_EQ(observer_.stalled, 1);
  EXPECT_THAT(quota_.requests(), SizeIs(1)) << "of before the restart";
  loop_.Advance(seconds(5));
  EXPECT_EQ(observer_.stalled, 0);
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
  Stop();
}

TEST_F(HostStoreFailure, HoldersOfLeasesHaveTheirTimeFromWhenTheirSessionCanBeRead) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  const auto acquire = [&](const std::string& holder) {
    v1::AcquireLeaseRequest request;
    request.set_holder(holder);
    request.mutable_place()->set_host("host");
    request.mutable_place()->set_workspace("/w");
    Answer<absl::StatusOr<v1::Lease>> answer;
    host_->With("team", id, [request, done = answer.Callback()](auto session) mutable {
      if (!session.ok()) return done(session.status());
      (*session)->AcquireLease(request, std::move(done));
    });
    loop_.RunUntilIdle();
    return *answer;
  };
  ASSERT_TRUE(acquire("a").ok());
  UnreadableStore store(store_);
  store.reads_fail = 5;
  Restart(&store);
  loop_.Advance(seconds(5));
  ASSERT_EQ(observer_.stalled, 0) << "it was read just now";
  EXPECT_TRUE(absl::IsAborted(acquire("b").status()));
  loop_.Advance(seconds(2));
  EXPECT_TRUE(acquire("b").ok());
  Stop();
}

TEST_F(HostStoreFailure, RunningTurnsThatCannotBeListedAtStartAreTakenUpWhenTheyCan) {
  const std::string id = CreateSession();
  Submit(id);
  UnreadableStore store(store_);
  store.lists_fail = 3;
  Restart(&store);
  EXPECT_FALSE(resumed_);
  loop_.Advance(seconds(5));
  EXPECT_TRUE(resumed_);
  EXPECT_THAT(quota_.requests(), SizeIs(2));
  Stop();
}

TEST_F(HostStoreFailure, ADamagedSessionIsNotTriedForEver) {
  const std::string id = CreateSession();
  Submit(id);
  UnreadableStore store(store_);
  store.failure = absl::DataLossError("damaged");
  store.reads_fail = 1;
  Restart(&store);
  EXPECT_TRUE(resumed_);
  EXPECT_EQ(observer_.stalled, 0);
  loop_.Advance(seconds(5));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  Stop();
}

TEST_F(HostStoreFailure, OfASubmittedTurnReachesTheCallerAndLeavesTheSessionIdle) {
  const std::string id = CreateSession();
  store_.FailNextAppends(1, kDiskFull);
  const TurnAnswer failed = Submit(id);
  ASSERT_TRUE(failed.has_value());
  ExpectToldToTryAgain(failed->status());
  EXPECT_THAT(Log(id), ElementsAre("created"));
  EXPECT_THAT(quota_.requests(), IsEmpty());
  EXPECT_EQ(quota_.models_asked(), 0);
  loop_.Advance(seconds(2));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_TRUE(Submit(id)->ok());
}

TEST_F(HostStoreFailure, OfAToolResultReachesTheCallerWhoMaySendItAgain) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  store_.FailNextAppends(1, kDiskFull);
  const ResultAnswer failed = SubmitResult(id, "c1");
  ExpectToldToTryAgain(failed->status());
  EXPECT_TRUE((*SubmitResult(id, "c1"))->accepted());
}

TEST_F(HostStoreFailure, OfTheStartOfACallHoldsTheCallBack) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  Submit(id);
  store_.FailNextAppends(2, kDiskFull);
  quota_.ReleaseModels();
  loop_.RunUntilIdle();
  EXPECT_THAT(quota_.requests(), IsEmpty());
  loop_.Advance(seconds(3));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
}

TEST_F(HostStoreFailure, OfTheEndOfATurnIsTriedAgain) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(2, kDiskFull);
  EndCall({grpc::StatusCode::INVALID_ARGUMENT, "no"});
  loop_.Advance(seconds(3));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 3"));
  EXPECT_THAT(observer_.outcomes, ElementsAre("invalid_argument"));
}

TEST_F(HostStoreFailure, ARestartMeanwhileCommitsTheAnswerOnce) {
  const std::string id = CreateSession();
  Submit(id);
  store_.FailNextAppends(1, kDiskFull);
  AnswerCall({Said("hi")});
  Restart();
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  EXPECT_EQ(quota_.requests()[0].call_id(), quota_.requests()[1].call_id());
  AnswerCall({Said("hi")});
  loop_.Advance(seconds(5));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostStoreFailure, ALogThatAnotherWriterMovedIsReadAgain) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  AppendFromElsewhere(id, 4);
  const ResultAnswer lost = SubmitResult(id, "c1");
  ASSERT_TRUE(lost.has_value());
  EXPECT_TRUE(absl::IsAborted(lost->status())) << lost->status();
  EXPECT_TRUE((*SubmitResult(id, "c1"))->accepted());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "unknown", "result c1", "call 2"));
}

TEST_F(HostStoreFailure, AnAnswerForALogThatAnotherWriterMovedIsNotTriedForEver) {
  const std::string id = CreateSession();
  Submit(id);
  AppendFromElsewhere(id, 3);
  AnswerCall({Said("hi")});
  loop_.Advance(seconds(5));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_THAT(quota_.cancelled(), IsEmpty()) << "the call may be the other writer's by now";
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "unknown"));
}

TEST_F(HostStoreFailure, ClosingAnswersAllWhoWait) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  store_.HoldAppends();
  const ResultAnswer writing = SubmitResult(id, "c1");
  const TurnAnswer queued = Submit(id, Turn("k2"));
  const CancelAnswer behind = Cancel(id);
  host_->Close();
  loop_.RunUntilIdle();
  ASSERT_TRUE(queued.has_value() && behind.has_value());
  EXPECT_TRUE(absl::IsUnavailable(queued->status())) << queued->status();
  EXPECT_TRUE(absl::IsUnavailable(behind->status())) << behind->status();
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  ASSERT_TRUE(writing.has_value());
  EXPECT_TRUE(absl::IsUnavailable(writing->status()));
  EXPECT_TRUE(absl::IsUnavailable(Submit(id)->status()));
}

TEST_F(HostStoreFailure, ClosingWhileASessionIsLoadedAnswersWhoAskedForIt) {
  const std::string id = CreateSession();
  Restart();
  TurnAnswer turn;
  host_->With("team", id, [done = turn.Callback()](auto session) mutable {
    if (!session.ok()) return done(session.status());
    (*session)->SubmitTurn(Turn(), std::move(done));
  });
  host_->Close();
  loop_.RunUntilIdle();
  ASSERT_TRUE(turn.has_value());
  EXPECT_TRUE(absl::IsUnavailable(turn->status())) << turn->status();
  EXPECT_THAT(Log(id), ElementsAre("created"));
}

}  // namespace
}  // namespace holdfast::agent
