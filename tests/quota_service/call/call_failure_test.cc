#include "quota_service/call/call_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using Kind = CallFailure::Kind;

class CallFailureTest : public testing::Test {
 protected:
  CallFailureTest() {
    auto account = std::make_shared<Account>();
    account->name = "acme";
    account_ = account;
    envelope_.tenant = "web";
    envelope_.route.account = account_;
    envelope_.max_wait = seconds(60);
    estimate_.reason = WaitEstimate::Reason::kLimit;
    estimate_.limit = 1000;
    estimate_.used = 900;
    estimate_.requested = 200;
    estimate_.wait = seconds(90);
  }
  static UpstreamFailure Upstream(FailureClass cls) {
    UpstreamFailure failure;
    failure.cls = cls;
    failure.message = "what it said";
    return failure;
  }

  std::shared_ptr<const Account> account_;
  Envelope envelope_;
  WaitEstimate estimate_;
};

TEST_F(CallFailureTest, EachClassOfTheUpstreamsFailuresHasItsKind) {
  const std::pair<FailureClass, Kind> rows[] = {
      {FailureClass::kTooLarge, Kind::kNeverFits},
      {FailureClass::kContextOverflow, Kind::kNeverFits},
      {FailureClass::kQuotaExhausted, Kind::kQuotaExhausted},
      {FailureClass::kAuthentication, Kind::kUpstreamAuth},
      {FailureClass::kInvalidRequest, Kind::kInvalidRequest},
      {FailureClass::kNoStream, Kind::kUnusableAnswer},
      {FailureClass::kUnusable, Kind::kUnusableAnswer},
      {FailureClass::kOverloaded, Kind::kBrokenOff},
      {FailureClass::kTransport, Kind::kBrokenOff},
  };
  for (const auto& [cls, kind] : rows) {
    const CallFailure failure = UpstreamFailed(Upstream(cls), *account_);
    EXPECT_EQ(failure.kind, kind) << CallFailureName(kind);
    EXPECT_THAT(failure.message, AllOf(HasSubstr("upstream acme"), HasSubstr("what it said")));
    EXPECT_EQ(failure.upstream->cls, cls);
  }
}

TEST_F(CallFailureTest, AWaitThatIsTooLongSaysWhatIsKnownOfIt) {
  const CallFailure bare = WaitedTooLong({.waited = seconds(5)}, envelope_);
  EXPECT_EQ(bare.message, "the wait is longer than the 1m00s allowed (5.0s waited)");
  EXPECT_FALSE(bare.retry_after || bare.wait || bare.upstream);
  const CallFailure full = WaitedTooLong({.waited = seconds(5),
                                          .to_go = seconds(90),
                                          .estimate = estimate_,
                                          .held = true,
                                          .failure = Upstream(FailureClass::kOverloaded)},
                                         envelope_);
  EXPECT_EQ(full.retry_after, seconds(90));
  EXPECT_EQ(full.wait->limit, 1000);
  EXPECT_FALSE(full.upstream) << "a limit is the reason";
  EXPECT_THAT(full.message,
              AllOf(HasSubstr("1m30s to go"), HasSubstr("acme fails for all"), HasSubstr("what it said")));
}

TEST_F(CallFailureTest, AnUpstreamThatIsDownIsTheReasonWhereNoLimitIs) {
  const auto upstream = [&](FailureClass cls, WaitEstimate::Reason reason) {
    estimate_.reason = reason;
    return WaitedTooLong({.estimate = estimate_, .failure = Upstream(cls)}, envelope_).upstream.has_value();
  };
  EXPECT_TRUE(upstream(FailureClass::kOverloaded, WaitEstimate::Reason::kNone));
  EXPECT_FALSE(upstream(FailureClass::kRateLimited, WaitEstimate::Reason::kNone));
  EXPECT_FALSE(upstream(FailureClass::kOverloaded, WaitEstimate::Reason::kLimit));
}

TEST_F(CallFailureTest, TheQueueRefusesForGoodOrForNowOrIsAway) {
  const auto never = QueueRefused({absl::FailedPreconditionError("too large"), 800, {}});
  EXPECT_EQ(never->kind, Kind::kNeverFits);
  EXPECT_EQ(never->largest, 800);
  const auto full = QueueRefused({absl::ResourceExhaustedError("full"), 0, seconds(4)});
  EXPECT_EQ(full->kind, Kind::kQueueFull);
  EXPECT_EQ(full->retry_after, seconds(4));
  EXPECT_FALSE(QueueRefused({absl::UnavailableError("away"), 0, {}}));
}

TEST_F(CallFailureTest, BudgetsAreNamed) {
  const CallFailure gone = BudgetGone(estimate_, envelope_);
  EXPECT_EQ(gone.budget, "tenant:web");
  EXPECT_EQ(gone.retry_after, seconds(90));
  EXPECT_THAT(gone.message, AllOf(HasSubstr("tenant web"), HasSubstr("1000 tokens"), HasSubstr("200 needed")));
  const CallFailure never = BudgetRefused({true, "larger than a day", 1000, {}}, "web");
  EXPECT_EQ(never.kind, Kind::kNeverFits);
  EXPECT_EQ(never.largest, 1000);
  EXPECT_FALSE(never.retry_after);
  EXPECT_EQ(BudgetRefused({false, "full", 0, seconds(3)}, "web").retry_after, seconds(3));
}

TEST_F(CallFailureTest, AnAccountThatIsRefusedSaysWhenItsQuotaComesBack) {
  Outage outage;
  outage.cls = FailureClass::kQuotaExhausted;
  const BootTime now = BootTime() + seconds(100);
  EXPECT_FALSE(AccountRefused(outage, *account_, now, WallTime()).retry_after);
  outage.reset = now + seconds(30);
  EXPECT_EQ(AccountRefused(outage, *account_, now, WallTime()).retry_after, seconds(30));
  outage.reset = now - seconds(30);
  EXPECT_EQ(AccountRefused(outage, *account_, now, WallTime()).retry_after, seconds(0));
}

}  // namespace
}  // namespace holdfast::quota
