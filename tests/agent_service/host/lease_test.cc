// Who runs a session's tools, and what people say to it.
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

v1::ToolPlace Place(const std::string& host = "host", const std::string& workspace = "/w") {
  v1::ToolPlace place;
  place.set_host(host);
  place.set_host_name(host + ".example");
  place.set_workspace(workspace);
  return place;
}

class HostLease : public HostTest {
 protected:
  template <typename T, typename Request>
  Answer<absl::StatusOr<T>> Call(const std::string& id, Request request,
                                 void (ActiveSession::*method)(Request, ActiveSession::Reply<T>)) {
    Answer<absl::StatusOr<T>> answer;
    host_->With("team", id,
                [method, request,
                 callback = answer.Callback()](absl::StatusOr<std::shared_ptr<ActiveSession>> session) mutable {
                  if (!session.ok()) return callback(session.status());
                  ((**session).*method)(request, std::move(callback));
                });
    loop_.RunUntilIdle();
    return answer;
  }
  absl::StatusOr<v1::Lease> Acquire(const std::string& id, const std::string& holder,
                                    const v1::ToolPlace& place = Place(), bool supersede = false) {
    v1::AcquireLeaseRequest request;
    request.set_holder(holder);
    *request.mutable_place() = place;
    request.set_supersede(supersede);
    return *Call(id, request, &ActiveSession::AcquireLease);
  }
  absl::StatusOr<v1::Lease> Renew(const std::string& id, int64_t generation) {
    v1::RenewLeaseRequest request;
    request.set_generation(generation);
    return *Call(id, request, &ActiveSession::RenewLease);
  }
  bool Release(const std::string& id, int64_t generation) {
    v1::ReleaseLeaseRequest request;
    request.set_generation(generation);
    return Call(id, request, &ActiveSession::ReleaseLease)->value().released();
  }
  absl::StatusOr<v1::SubmitToolResultResponse> Result(const std::string& id, const std::string& call_id,
                                                      int64_t generation, const std::string& key = "",
                                                      const std::string& output = "r", bool is_error = false) {
    v1::SubmitToolResultRequest request;
    request.set_session_id(id);
    request.set_call_id(call_id);
    request.set_output(output);
    request.set_is_error(is_error);
    request.set_lease_generation(generation);
    request.set_client_key(key);
    return *Call(id, request, &ActiveSession::SubmitToolResult);
  }
  absl::StatusOr<v1::Approval> Request(const std::string& id, int64_t generation, const std::string& call_id = "c1") {
    v1::RequestApprovalRequest request;
    request.set_generation(generation);
    request.set_approval_id(call_id);
    request.set_call_id(call_id);
    request.set_question("may it run?");
    return *Call(id, request, &ActiveSession::RequestApproval);
  }
  absl::StatusOr<v1::Approval> Decide(const std::string& id, v1::ApprovalAnswer answer, const std::string& by) {
    v1::DecideApprovalRequest request;
    request.set_approval_id("c1");
    request.set_answer(answer);
    request.set_by(by);
    return *Call(id, request, &ActiveSession::DecideApproval);
  }
  // A session whose turn waits for the result of c1.
  std::string WithOpenCall(const v1::ToolPlace* place = nullptr) {
    const std::string id = CreateSession();
    v1::SubmitTurnRequest turn = Turn();
    if (place != nullptr) *turn.mutable_place() = *place;
    Submit(id, turn);
    AnswerCall({Asked("c1")});
    return id;
  }
  void Pass(Duration time) { loop_.Advance(time); }
};

TEST_F(HostLease, OneClientAtATimeRunsTheTools) {
  const std::string id = WithOpenCall();
  const auto first = Acquire(id, "a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->generation(), 1);
  EXPECT_EQ(first->holder(), "a");
  EXPECT_GT(first->seconds(), 0);
  const auto second = Acquire(id, "b");
  EXPECT_TRUE(absl::IsAborted(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("/w on host.example"));
  EXPECT_EQ(Acquire(id, "a")->generation(), 1) << "the same holder keeps its lease";
}

TEST_F(HostLease, ALeaseThatIsNotRenewedMoves) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  Pass(milliseconds(1500));
  EXPECT_TRUE(Renew(id, 1).ok());
  Pass(milliseconds(1500));
  EXPECT_TRUE(absl::IsAborted(Acquire(id, "b").status())) << "it was renewed";
  Pass(milliseconds(600));
  EXPECT_TRUE(Renew(id, 1).ok()) << "late, but nobody took it";
  Pass(milliseconds(2100));
  EXPECT_EQ(Acquire(id, "b")->generation(), 2);
  EXPECT_TRUE(absl::IsAborted(Renew(id, 1).status()));
  EXPECT_TRUE(Renew(id, 2).ok());
}

TEST_F(HostLease, OneThatWasReleasedMovesAtOnce) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  EXPECT_TRUE(Release(id, 1));
  EXPECT_FALSE(Release(id, 1));
  EXPECT_TRUE(absl::IsAborted(Renew(id, 1).status()));
  EXPECT_EQ(Acquire(id, "b")->generation(), 2);
  EXPECT_FALSE(Release(id, 1)) << "not the lease of its successor";
  EXPECT_TRUE(Renew(id, 2).ok());
}

TEST_F(HostLease, WhoHoldsTheJournalOfThePlaceNeedNotWait) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Acquire(id, "b", Place("other"), true).status()));
  EXPECT_EQ(Acquire(id, "b", Place(), true)->generation(), 2);
}

TEST_F(HostLease, StaysInThePlaceOfTheTurn) {
  const v1::ToolPlace here = Place();
  const std::string id = WithOpenCall(&here);
  for (const v1::ToolPlace& other : {Place("other"), Place("host", "/elsewhere")}) {
    const auto refused = Acquire(id, "b", other);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("/w on host.example"));
  }
  ASSERT_TRUE(Acquire(id, "a").ok());
  Pass(seconds(60));
  EXPECT_TRUE(absl::IsFailedPrecondition(Acquire(id, "b", Place("other")).status())) << "also when its holder is gone";
  ASSERT_TRUE((*Cancel(id)).ok());
  EXPECT_EQ(Acquire(id, "b", Place("other"))->generation(), 2) << "the next turn may be elsewhere";
}

TEST_F(HostLease, TheFirstLeaseOfATurnThatNamesNoPlaceSaysWhereItsToolsAre) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  ASSERT_TRUE(Release(id, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(Acquire(id, "b", Place("other")).status()));
  EXPECT_TRUE(Acquire(id, "b").ok());
}

TEST_F(HostLease, OneThatIsHeldWhenATurnWithoutPlaceBeginsSaysWhereItsToolsAre) {
  const std::string id = CreateSession();
  ASSERT_TRUE(Acquire(id, "a").ok());
  Submit(id);
  AnswerCall({Asked("c1")});
  Pass(seconds(60));
  const auto refused = Acquire(id, "b", Place("other"));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << "a may have begun c1: " << refused.status();
  EXPECT_EQ(Acquire(id, "b")->generation(), 2);
}

TEST_F(HostLease, OneWhoseHolderComesBackInATurnWithoutPlaceSaysWhereItsToolsAre) {
  for (const bool renews : {true, false}) {
    const std::string id = CreateSession();
    ASSERT_TRUE(Acquire(id, "a").ok());
    Pass(seconds(60));
    Submit(id);
    AnswerCall({Asked("c1")});
    const auto back = renews ? Renew(id, 1) : Acquire(id, "a");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->generation(), 1);
    Pass(seconds(60));
    EXPECT_TRUE(absl::IsFailedPrecondition(Acquire(id, "b", Place("other")).status())) << renews;
    EXPECT_TRUE(Renew(id, 1).ok());
    EXPECT_THAT(Log(id), testing::ElementsAre("created", "lease 1", "turn", "call 1", "answer", "lease 1")) << "once";
    EXPECT_TRUE((*Cancel(id)).ok());
  }
}

TEST_F(HostLease, OneWhoseHolderIsGoneBindsNoTurnThatBeginsLater) {
  const std::string id = CreateSession();
  ASSERT_TRUE(Acquire(id, "a").ok());
  Pass(seconds(60));
  Submit(id);
  AnswerCall({Asked("c1")});
  EXPECT_EQ(Acquire(id, "b", Place("other"))->generation(), 2);
}

TEST_F(HostLease, AResultCarriesTheLeaseUnderWhichItsToolRan) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  EXPECT_TRUE(absl::IsAborted(Result(id, "c1", 0).status())) << "without a lease, while somebody holds one";
  ASSERT_TRUE(Acquire(id, "b", Place(), true).ok());
  const auto stale = Result(id, "c1", 1);
  EXPECT_TRUE(absl::IsAborted(stale.status())) << stale.status();
  EXPECT_THAT(Log(id).back(), "lease 2");
  EXPECT_TRUE(Result(id, "c1", 2)->accepted());
  EXPECT_EQ(Events(id)[6].tool_result_recorded().lease_generation(), 2);
  EXPECT_FALSE(Result(id, "c1", 1)->accepted()) << "what is recorded is not a matter of leases any more";
}

TEST_F(HostLease, AResultOfAReleasedLeaseStillCounts) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  ASSERT_TRUE(Release(id, 1));
  EXPECT_TRUE(Result(id, "c1", 1)->accepted());
}

TEST_F(HostLease, ClientsWithoutLeasesSubmitAsBefore) {
  const std::string id = WithOpenCall();
  EXPECT_TRUE(Result(id, "c1", 0)->accepted());
}

TEST_F(HostLease, AResultThatIsSubmittedAgainWithItsKeyIsAccepted) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1"), Asked("c2")});
  EXPECT_TRUE(Result(id, "c1", 0, "key")->accepted());
  EXPECT_TRUE(Result(id, "c1", 0, "key")->accepted());
  EXPECT_FALSE(Result(id, "c1", 0, "other")->accepted());
  EXPECT_FALSE(Result(id, "c1", 0)->accepted());
  EXPECT_THAT(Log(id), testing::ElementsAre("created", "turn", "call 1", "answer", "result c1"));
  Restart();
  EXPECT_TRUE(Result(id, "c1", 0, "key")->accepted()) << "the log knows";
}

TEST_F(HostLease, AnotherResultUnderTheSameKeyIsRefused) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Result(id, "c1", 0, "key")->accepted());
  for (const auto& refused : {Result(id, "c1", 0, "key", "other"), Result(id, "c1", 0, "key", "r", true)}) {
    EXPECT_TRUE(absl::IsAlreadyExists(refused.status())) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("client_key: key was used before"));
  }
  EXPECT_TRUE(Result(id, "c1", 0, "key")->accepted());
}

TEST_F(HostLease, SurvivesARestartOfTheService) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  Pass(seconds(1));
  Restart();
  EXPECT_TRUE(absl::IsAborted(Acquire(id, "b").status())) << "its holder has the time anew to be heard of";
  EXPECT_TRUE(Renew(id, 1).ok());
  Restart();
  Pass(milliseconds(2100));
  EXPECT_EQ(Acquire(id, "b")->generation(), 2);
  Restart();
  EXPECT_TRUE(absl::IsAborted(Renew(id, 1).status()));
}

TEST_F(HostLease, KeepsItsSessionInMemoryForAsLongAsItLasts) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  for (int i = 0; i < 10; ++i) {
    Pass(milliseconds(1500));
    ASSERT_TRUE(Renew(id, 1).ok());
    EXPECT_TRUE(absl::IsAborted(Acquire(id, "b").status())) << "its holder lives";
  }
  ASSERT_TRUE((*Cancel(id)).ok());
  Pass(milliseconds(1500));
  EXPECT_TRUE(absl::IsAborted(Acquire(id, "b").status())) << "also between turns";
}

TEST_F(HostLease, ThatExpiredWithNobodyThereIsFreeForTheFirstWhoComes) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  Pass(seconds(60));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_EQ(Acquire(id, "b")->generation(), 2) << "its holder does not get its time anew by being asked about";
}

TEST_F(HostLease, AQuestionIsAnsweredAlsoWhereItsSessionHasLeftMemory) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  ASSERT_TRUE(Request(id, 1).ok());
  Pass(seconds(60));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_TRUE(Decide(id, v1::APPROVAL_ANSWER_ONCE, "ann")->accepted());
  EXPECT_EQ(Request(id, 1)->answer(), v1::APPROVAL_ANSWER_ONCE);
}

TEST_F(HostLease, TheFirstAnswerToAQuestionWins) {
  const std::string id = WithOpenCall();
  ASSERT_TRUE(Acquire(id, "a").ok());
  const auto asked = Request(id, 1);
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->answer(), v1::APPROVAL_ANSWER_UNSPECIFIED);
  EXPECT_EQ(Events(id)[static_cast<size_t>(asked->sequence()) - 1].approval_requested().question(), "may it run?");
  const auto first = Decide(id, v1::APPROVAL_ANSWER_ONCE, "ann");
  EXPECT_TRUE(first->accepted());
  const auto second = Decide(id, v1::APPROVAL_ANSWER_DENY, "bob");
  EXPECT_FALSE(second->accepted());
  EXPECT_EQ(second->answer(), v1::APPROVAL_ANSWER_ONCE);
  EXPECT_EQ(second->by(), "ann");
  Restart();
  EXPECT_EQ(Request(id, 1)->answer(), v1::APPROVAL_ANSWER_ONCE) << "who asks again is told";
  EXPECT_THAT(Log(id),
              testing::ElementsAre("created", "turn", "call 1", "answer", "lease 1", "asked c1", "decided c1"));
}

TEST_F(HostLease, OnlyTheHolderAsksAndOnlyAboutAnOpenCall) {
  const std::string id = WithOpenCall();
  EXPECT_TRUE(absl::IsAborted(Request(id, 1).status()));
  ASSERT_TRUE(Acquire(id, "a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Request(id, 1, "c9").status()));
  EXPECT_TRUE(absl::IsNotFound(Decide(id, v1::APPROVAL_ANSWER_DENY, "ann").status()));
  ASSERT_TRUE(Request(id, 1).ok());
  ASSERT_TRUE((*Cancel(id)).ok());
  EXPECT_TRUE(absl::IsNotFound(Decide(id, v1::APPROVAL_ANSWER_DENY, "ann").status())) << "the turn has ended";
}

}  // namespace
}  // namespace holdfast::agent
