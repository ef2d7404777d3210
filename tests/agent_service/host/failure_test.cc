#include "common/rpc/status.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// How failures of calls become failures of turns.
class HostFailure : public HostTest {
 protected:
  v1::TurnFailed FailWith(const grpc::Status& status) {
    const std::string id = CreateSession();
    Submit(id);
    EndCall(status);
    return LastFailure(id);
  }
};

TEST_F(HostFailure, AWaitBeyondTheBoundNamesTheLimitAndWhenItCouldWork) {
  ErrorDetails details;
  details.retry_delay = milliseconds(3'600);
  details.violations.push_back({"upstream:openai/o4-mini", "200000 per 60s", "tokens", 200'000});
  const v1::TurnFailed failed = FailWith(ToGrpc(absl::ResourceExhaustedError("the wait is too long"), details));
  EXPECT_EQ(failed.code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failed.message(), "the wait is too long");
  EXPECT_DOUBLE_EQ(failed.retry_after_seconds(), 3.6);
  EXPECT_EQ(failed.quota_metric(), "tokens");
  EXPECT_FALSE(failed.never_fits());
  EXPECT_THAT(observer_.outcomes, ElementsAre("resource_exhausted"));
}

TEST_F(HostFailure, ARequestThatCanNeverFitSaysSo) {
  ErrorDetails details;
  details.violations.push_back({"upstream:openai/o4-mini", "at most 200000 fit", "tokens", 200'000});
  const v1::TurnFailed failed = FailWith(ToGrpc(absl::FailedPreconditionError("too large"), details));
  EXPECT_EQ(failed.code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(failed.never_fits());
  EXPECT_EQ(failed.quota_metric(), "tokens");
  EXPECT_EQ(failed.retry_after_seconds(), 0);
}

TEST_F(HostFailure, MoneyThatIsGoneIsNotASizeThatNeverFits) {
  ErrorDetails details;
  details.retry_delay = std::chrono::hours(5);
  const v1::TurnFailed failed = FailWith(ToGrpc(absl::FailedPreconditionError("insufficient_quota"), details));
  EXPECT_EQ(failed.code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(failed.never_fits());
  EXPECT_EQ(failed.quota_metric(), "");
  EXPECT_DOUBLE_EQ(failed.retry_after_seconds(), 18'000);
}

TEST_F(HostFailure, OtherRefusalsKeepCodeAndWords) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::PERMISSION_DENIED,
        grpc::StatusCode::ALREADY_EXISTS, grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::UNIMPLEMENTED}) {
    const v1::TurnFailed failed = FailWith({code, "why"});
    EXPECT_EQ(failed.code(), code);
    EXPECT_EQ(failed.message(), "why");
    EXPECT_FALSE(failed.never_fits());
    EXPECT_EQ(failed.quota_metric(), "");
  }
}

TEST_F(HostFailure, AFailedTurnLeavesTheSessionUsable) {
  const std::string id = CreateSession();
  Submit(id);
  EndCall({grpc::StatusCode::INVALID_ARGUMENT, "no"});
  EXPECT_TRUE(Submit(id, Turn("k2"))->ok());
  AnswerCall({Said("hi")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "failed 3", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostFailure, AModelThatQuotaServiceRefusesFailsTheTurnBeforeACall) {
  quota_.SetModel({grpc::StatusCode::INVALID_ARGUMENT, "model: must be at most 256 bytes"});
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "failed 3"));
  EXPECT_THAT(quota_.requests(), IsEmpty());
}

TEST_F(HostFailure, AModelThatCannotBeAskedForIsNotChecked) {
  quota_.SetModel(kBroken);
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostFailure, AContextOverTheCeilingNeverFitsAndIsNotSent) {
  quota::v1::GetModelResponse model;
  model.set_model("o4-mini");
  model.set_context_window(1000);
  quota_.SetModel(grpc::Status::OK, model);
  const std::string id = CreateSession();
  v1::SubmitTurnRequest turn = Turn("k1", std::string(3600, 'x'));  // 902 tokens
  turn.set_max_output_tokens(99);
  Submit(id, turn);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "failed 9"));
  EXPECT_THAT(quota_.requests(), IsEmpty());
  const v1::TurnFailed failed = LastFailure(id);
  EXPECT_TRUE(failed.never_fits());
  EXPECT_EQ(failed.quota_metric(), "tokens");
  EXPECT_THAT(failed.message(), AllOf(HasSubstr("902"), HasSubstr("901"), HasSubstr("window 1000")));

  const std::string other = CreateSession();
  turn.set_max_output_tokens(98);
  Submit(other, turn);
  EXPECT_THAT(Log(other), ElementsAre("created", "turn", "call 1"));
}

TEST_F(HostFailure, AToolOutputThatGrowsTheContextOverTheCeilingIsCut) {
  quota::v1::GetModelResponse model;
  model.set_largest_admissible_tokens(2000);
  quota_.SetModel(grpc::Status::OK, model);
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1", std::string(50'000, 'x'));
  EXPECT_THAT(Log(id),
              ElementsAre("created", "turn", "call 1", "answer", "result c1", "snapshot auto.5", "cut", "call 2"));
  EXPECT_LE(quota_.requests().back().items(2).tool_result().output().size(), 2048U);
}

}  // namespace
}  // namespace holdfast::agent
