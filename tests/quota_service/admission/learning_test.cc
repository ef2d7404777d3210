// Before the first answer nobody knows the limits, nor what others have used of them.
#include <gmock/gmock.h>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class Learning : public testing::Test {
 protected:
  LimitGroup group_{{"upstream/family", {}, std::nullopt}};
};

TEST_F(Learning, OneGoesAheadAloneUntilItsHeadersCome) {
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) group_.Enqueue(At({}), id, 10);
  EXPECT_FALSE(group_.limits_known());
  EXPECT_THAT(group_.Admit(At({})).granted, ElementsAre(1));
  EXPECT_EQ(group_.NextAdmission(At({})), std::nullopt) << "only an answer helps, not time";
  EXPECT_THAT(group_.Admit(At(hours(1))).granted, IsEmpty());
  group_.OnHeaders(At(hours(1)), 1, TokenHeaders(600, 590));
  EXPECT_TRUE(group_.limits_known());
  EXPECT_THAT(group_.Admit(At(hours(1))).granted, ElementsAre(2, 3));
}

TEST_F(Learning, HoldsForConfiguredLimitsToo) {
  LimitGroup group({"upstream/family", {TokensPerMinute(600)}, 64});
  group.Enqueue(At({}), 1, 10);
  group.Enqueue(At({}), 2, 10);
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(1));
  group.OnHeaders(At({}), 1, TokenHeaders(600, 5));
  EXPECT_THAT(group.Admit(At({})).granted, IsEmpty()) << "others have used it";
}

TEST_F(Learning, HeadersSetLimitsAndLevels) {
  Ask(group_, At({}), 1, 9000);
  RateLimitHeaders headers = TokenHeaders(200000, 39807, milliseconds(48057));
  headers.requests = {500, 498, milliseconds(240)};
  group_.OnHeaders(At(seconds(3)), 1, headers);
  const auto levels = group_.Levels(At(seconds(3)));
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0].dimension, Dimension::kTokens);
  EXPECT_EQ(levels[0].limit, 200000);
  EXPECT_EQ(levels[0].remaining, 39807);
  EXPECT_EQ(levels[0].per, kMinute);
  EXPECT_EQ(levels[0].source, LimitSource::kHeaders);
  EXPECT_EQ(levels[1].dimension, Dimension::kRequests);
  EXPECT_EQ(levels[1].limit, 500);
  EXPECT_EQ(levels[1].remaining, 498);
  EXPECT_EQ(group_.LargestAdmissible(), 200000);
}

TEST_F(Learning, AFirstRequestThatIsLargerThanWhatRemainsIsNotChargedTwice) {
  Ask(group_, At({}), 1, 150000);
  group_.OnHeaders(At({}), 1, TokenHeaders(200000, 50000));
  EXPECT_EQ(Remaining(group_, At({})), 50000);
}

TEST_F(Learning, WithoutLimitsInTheHeadersEverybodyGoes) {
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) group_.Enqueue(At({}), id, 1'000'000);
  group_.Admit(At({}));
  group_.OnHeaders(At({}), 1, {});
  EXPECT_THAT(group_.Admit(At({})).granted, ElementsAre(2, 3));
  EXPECT_THAT(group_.Levels(At({})), IsEmpty());
  EXPECT_EQ(group_.LargestAdmissible(), 0);
}

TEST_F(Learning, ALimitThatShowsLaterChargesAllThatIsUnderWay) {
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) group_.Enqueue(At({}), id, 100);
  group_.Admit(At({}));
  group_.OnHeaders(At({}), 1, {});
  ASSERT_THAT(group_.Admit(At({})).granted, ElementsAre(2, 3));
  group_.OnHeaders(At({}), 2, TokenHeaders(600, 500));
  EXPECT_EQ(Remaining(group_, At({})), 300) << "3 is under way, and what 2 was told may not count it";
}

TEST_F(Learning, WhenTheFirstCallFailsTheNextGoesAheadAlone) {
  for (const Settlement how : {Settlement::kNotSent, Settlement::kCharged}) {
    LimitGroup group({"upstream/family", {}, std::nullopt});
    for (LimitGroup::RequestId id = 1; id <= 3; ++id) group.Enqueue(At({}), id, 10);
    group.Admit(At({}));
    group.Settle(At(seconds(1)), 1, how);
    EXPECT_THAT(group.Admit(At(seconds(1))).granted, ElementsAre(2));
    group.Requeue(At(seconds(2)), 2, how);
    EXPECT_THAT(group.Admit(At(seconds(2))).granted, ElementsAre(2)) << "it is before 3";
  }
}

TEST_F(Learning, ARefusalIsAnAnswer) {
  group_.Enqueue(At({}), 1, 40);
  group_.Enqueue(At({}), 2, 50);
  group_.Admit(At({}));
  ServerHint hint;
  hint.dimension = Dimension::kTokens;
  hint.limit = 600;
  hint.used = 570;
  hint.requested = 40;
  hint.retry_after = seconds(1);
  group_.Refuse(At({}), 1, hint);
  EXPECT_TRUE(group_.limits_known());
  EXPECT_EQ(Remaining(group_, At({})), 30);
  EXPECT_EQ(group_.Levels(At({}))[0].source, LimitSource::kRefusal);
  EXPECT_THAT(group_.Admit(At(seconds(1))).granted, ElementsAre(1));
  EXPECT_THAT(group_.Admit(At(seconds(6))).granted, ElementsAre(2));
}

struct Reset {
  int64_t limit;
  int64_t remaining;
  Duration reset;
  Duration per;
};
class InferredWindow : public testing::TestWithParam<Reset> {};
INSTANTIATE_TEST_SUITE_P(
    Resets, InferredWindow,
    testing::Values(Reset{500, 499, milliseconds(120), kMinute}, Reset{60, 59, seconds(1), kMinute},
                    Reset{3500, 3499, milliseconds(17), kMinute}, Reset{10000, 9999, milliseconds(8640), kDay},
                    Reset{200, 199, seconds(432), kDay}, Reset{200, 0, hours(24), kDay},
                    Reset{100, 50, minutes(30), hours(1)}, Reset{10, 5, milliseconds(500), seconds(1)},
                    Reset{10, 5, seconds(5), seconds(10)},
                    // Nothing used, nothing said, and the end of a fixed window.
                    Reset{500, 500, Duration::zero(), kMinute}, Reset{1000000, 999999, seconds(1), kMinute},
                    Reset{100, 50, seconds(7), kMinute}));

TEST_P(InferredWindow, OfALearntLimitIsWhatItsResetImplies) {
  LimitGroup group({"upstream/family", {}, std::nullopt});
  Ask(group, At({}), 1, 10);
  group.OnHeaders(At({}), 1, RequestHeaders(GetParam().limit, GetParam().remaining, GetParam().reset));
  ASSERT_EQ(group.Levels(At({})).size(), 1u);
  EXPECT_EQ(group.Levels(At({}))[0].per, GetParam().per);
}

TEST(InferredWindow, IsAMinuteWithoutAReset) {
  LimitGroup group({"upstream/family", {}, std::nullopt});
  Ask(group, At({}), 1, 10);
  group.OnHeaders(At({}), 1, RequestHeaders(500, 100));
  EXPECT_EQ(group.Levels(At({}))[0].per, kMinute);
}

TEST(InferredWindow, OfADayStandsBesideAConfiguredMinute) {
  LimitGroup group({"upstream/family", {RequestsPerMinute(500)}, std::nullopt});
  Ask(group, At({}), 1, 10);
  group.OnHeaders(At({}), 1, RequestHeaders(10000, 9990, milliseconds(86400)));
  const auto levels = group.Levels(At({}));
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0].limit, 500);
  EXPECT_EQ(levels[0].remaining, 499);
  EXPECT_EQ(levels[1].limit, 10000);
  EXPECT_EQ(levels[1].remaining, 9990);
  EXPECT_EQ(levels[1].per, kDay);
  Ask(group, At({}), 2, 10);
  group.OnHeaders(At({}), 2, RequestHeaders(10000, 9900));
  EXPECT_EQ(group.Levels(At({}))[1].remaining, 9900) << "the count tells which is meant";
  EXPECT_EQ(group.Levels(At({}))[0].remaining, 498);
}

}  // namespace
}  // namespace holdfast::quota
