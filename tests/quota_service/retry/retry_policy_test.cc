#include "quota_service/retry/retry_policy.h"

#include <gmock/gmock.h>

#include <limits>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr FailureClass kRetried[] = {FailureClass::kRateLimited, FailureClass::kOverloaded, FailureClass::kTransport};
constexpr FailureClass kPermanent[] = {FailureClass::kTooLarge,        FailureClass::kQuotaExhausted,
                                       FailureClass::kContextOverflow, FailureClass::kAuthentication,
                                       FailureClass::kInvalidRequest,  FailureClass::kUnusable};

class RetryPolicyTest : public testing::Test {
 protected:
  RetryPolicyTest() { question_.max_wait = minutes(15); }

  RetryDecision Decide() const { return BackoffOrStop(question_, {.base = seconds(1), .cap = seconds(30)}, uniform_); }

  UpstreamFailure failure_;
  RetryQuestion question_{.failure = failure_};
  Uniform uniform_ = [] { return 0.5; };
};

TEST_F(RetryPolicyTest, HoldsARateLimitForWhatTheServerSaid) {
  failure_.cls = FailureClass::kRateLimited;
  failure_.hint.retry_after = milliseconds(3646);
  const RetryDecision decision = Decide();
  EXPECT_EQ(decision.kind, RetryKind::kHold);
  EXPECT_EQ(decision.stop, StopReason::kNone);
  EXPECT_EQ(decision.after, milliseconds(3646));
}

TEST_F(RetryPolicyTest, HoldsARateLimitForABackoffWhereTheServerSaidNothing) {
  failure_.cls = FailureClass::kRateLimited;
  question_.attempt = 2;
  const RetryDecision decision = Decide();
  EXPECT_EQ(decision.kind, RetryKind::kHold);
  EXPECT_EQ(decision.after, seconds(2));
}

TEST_F(RetryPolicyTest, BacksOffFromOverloadAndBrokenTransport) {
  for (const FailureClass cls : {FailureClass::kOverloaded, FailureClass::kTransport}) {
    failure_.cls = cls;
    EXPECT_EQ(Decide().kind, RetryKind::kBackOff) << FailureClassName(cls);
    EXPECT_EQ(Decide().after, milliseconds(500)) << FailureClassName(cls);
  }
}

TEST_F(RetryPolicyTest, SpreadsAnOverloadsOwnDelayUpwards) {
  failure_.cls = FailureClass::kOverloaded;
  failure_.hint.retry_after = seconds(40);
  EXPECT_EQ(Decide().after, seconds(50));
}

TEST_F(RetryPolicyTest, StopsWhereWaitingFixesNothing) {
  for (const FailureClass cls : kPermanent) {
    failure_.cls = cls;
    failure_.hint.retry_after = seconds(1);
    EXPECT_EQ(Decide().kind, RetryKind::kStop) << FailureClassName(cls);
    EXPECT_EQ(Decide().stop, StopReason::kPermanent) << FailureClassName(cls);
  }
}

TEST_F(RetryPolicyTest, NeverStopsForTheCountOfAttempts) {
  question_.attempt = std::numeric_limits<int>::max();
  for (const FailureClass cls : kRetried) {
    failure_.cls = cls;
    EXPECT_NE(Decide().kind, RetryKind::kStop) << FailureClassName(cls);
  }
}

TEST_F(RetryPolicyTest, GivesAPageInPlaceOfAnAnswerThreeAttemptsInARow) {
  failure_.cls = FailureClass::kNoStream;
  question_.attempt = 1000;
  for (question_.of_class = 0; question_.of_class < 2; ++question_.of_class)
    EXPECT_EQ(Decide().kind, RetryKind::kBackOff) << question_.of_class;
  EXPECT_EQ(Decide().stop, StopReason::kPermanent);
  failure_.cls = FailureClass::kTransport;
  EXPECT_EQ(Decide().kind, RetryKind::kBackOff) << "what breaks is not counted";
}

TEST_F(RetryPolicyTest, StopsAfterOutputUnlessTheReaderCanRestart) {
  question_.output_passed = true;
  for (const FailureClass cls : kRetried) {
    failure_.cls = cls;
    question_.can_restart = false;
    EXPECT_EQ(Decide().stop, StopReason::kOutputPassed) << FailureClassName(cls);
    question_.can_restart = true;
    EXPECT_NE(Decide().kind, RetryKind::kStop) << FailureClassName(cls);
  }
}

TEST_F(RetryPolicyTest, StopsWhenTheServerAsksForMoreThanIsLeftAndSaysHowLong) {
  question_.waited = minutes(14);
  failure_.hint.retry_after = seconds(61);
  for (const FailureClass cls : kRetried) {
    failure_.cls = cls;
    const RetryDecision decision = Decide();
    EXPECT_EQ(decision.kind, RetryKind::kStop) << FailureClassName(cls);
    EXPECT_EQ(decision.stop, StopReason::kWaitExhausted) << FailureClassName(cls);
    EXPECT_GE(decision.after, seconds(61)) << FailureClassName(cls);
  }
}

TEST_F(RetryPolicyTest, WaitsForTheLastSecondThatIsAllowed) {
  failure_.cls = FailureClass::kRateLimited;
  question_.waited = minutes(14);
  failure_.hint.retry_after = seconds(60);
  EXPECT_EQ(Decide().kind, RetryKind::kHold);
}

TEST_F(RetryPolicyTest, CutsABackoffToTheTimeThatIsLeft) {
  failure_.cls = FailureClass::kTransport;
  question_.attempt = 10;
  question_.waited = minutes(15) - seconds(2);
  EXPECT_EQ(Decide().kind, RetryKind::kBackOff);
  EXPECT_EQ(Decide().after, seconds(2));
}

TEST_F(RetryPolicyTest, StopsWhenTheTimeIsUsedUp) {
  for (const FailureClass cls : kRetried) {
    failure_.cls = cls;
    question_.waited = minutes(15);
    EXPECT_EQ(Decide().stop, StopReason::kWaitExhausted) << FailureClassName(cls);
    question_.waited = hours(9);
    EXPECT_EQ(Decide().stop, StopReason::kWaitExhausted) << FailureClassName(cls);
  }
}

}  // namespace
}  // namespace holdfast::quota
