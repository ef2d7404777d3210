// What a refusal does: to the request, to the levels, and to those behind it.
#include <gmock/gmock.h>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

ServerHint Text(int64_t limit, int64_t used, int64_t requested, std::optional<Duration> retry_after = std::nullopt,
                std::optional<Dimension> dimension = Dimension::kTokens) {
  return {.retry_after = retry_after,
          .reset_at = std::nullopt,
          .dimension = dimension,
          .limit = limit,
          .used = used,
          .requested = requested};
}
ServerHint ComeBackIn(Duration wait) {
  ServerHint hint;
  hint.retry_after = wait;
  return hint;
}

class Refusal : public testing::Test {
 protected:
  void Send(LimitGroup::RequestId id, int64_t tokens, BootTime now = At({})) {
    ASSERT_THAT(Ask(group_, now, id, tokens).granted, ElementsAre(id));
  }
  // When the head goes, and that it does not go a nanosecond before.
  Duration GoesAfter(BootTime now = At({})) {
    const auto when = group_.NextAdmission(now);
    if (!when) return Duration::max();
    EXPECT_THAT(group_.Admit(*when - nanoseconds(1)).granted, IsEmpty());
    EXPECT_FALSE(group_.Admit(*when).granted.empty());
    return *when - now;
  }
  int64_t left(BootTime now = At({})) { return Remaining(group_, now).value_or(-1); }

  LimitGroup group_ = LearntGroup({TokensPerMinute(200000)});
};

TEST_F(Refusal, InWordsSetsTheLevelAndTheRequestWaitsAsTheServerSays) {
  Send(1, 51963);
  group_.Refuse(At({}), 1, Text(200000, 160193, 51963, milliseconds(3646)));
  EXPECT_EQ(left(), 39807);
  const WaitEstimate told = group_.Forecast(At({}))[0].second;
  EXPECT_EQ(told.reason, WaitEstimate::Reason::kLimit);
  EXPECT_EQ(told.used, 160193);
  EXPECT_EQ(told.requested, 51963);
  EXPECT_EQ(GoesAfter() / milliseconds(1), 3646);
}

TEST_F(Refusal, WaitsAtTheFrontOfThoseWhoCameLater) {
  Send(1, 100);
  group_.Enqueue(At({}), 2, 1);
  group_.Refuse(At({}), 1, ComeBackIn(seconds(1)));
  EXPECT_THAT(group_.Admit(At(seconds(1) - nanoseconds(1))).granted, IsEmpty());
  EXPECT_THAT(group_.Admit(At(seconds(1))).granted, ElementsAre(1, 2));
}

TEST_F(Refusal, NeverRaisesTheLevel) {
  Send(1, 150000);
  Send(2, 10000);
  group_.Refuse(At({}), 2, Text(200000, 20, 10000, seconds(1)));
  EXPECT_LE(left(), 50000);
}

TEST_F(Refusal, TeachesTheChargeThatTheGateSees) {
  Send(1, 1000);
  group_.Refuse(At({}), 1, Text(200000, 150000, 60000, seconds(3)));
  EXPECT_EQ(group_.Forecast(At({}))[0].second.requested, 60000);
  group_.Admit(At(seconds(3)));
  EXPECT_EQ(left(At(seconds(3))), 0) << "50,000 and 10,000 of refill, less 60,000";
}

TEST_F(Refusal, OfMoreThanTheLimitIsRejected) {
  Send(1, 1000);
  group_.Refuse(At({}), 1, Text(30000, 0, 30001));
  EXPECT_THAT(group_.Admit(At({})).rejected, ElementsAre(1));
  EXPECT_EQ(group_.LargestAdmissible(), 30000);
}

TEST_F(Refusal, OfALoweredLimitIsLearntAtOnce) {
  Send(1, 40000);
  group_.Refuse(At({}), 1, Text(100000, 90000, 40000, seconds(18)));
  EXPECT_EQ(group_.LargestAdmissible(), 100000);
  EXPECT_EQ(left(), 10000);
  EXPECT_EQ(GoesAfter(), seconds(18));
}

TEST_F(Refusal, ByTheClockAlonePausesTheGroup) {
  Send(1, 100);
  Send(2, 100);
  group_.Refuse(At({}), 1, ComeBackIn(seconds(45)));
  EXPECT_THAT(Ask(group_, At({}), 3, 1).granted, IsEmpty());
  group_.OnHeaders(At(seconds(1)), 2, TokenHeaders(200000, 190000));
  EXPECT_THAT(group_.Admit(At(seconds(1))).granted, IsEmpty()) << "an older answer ends no pause";
  EXPECT_EQ(GoesAfter(), seconds(45));
}

TEST_F(Refusal, OfADimensionByTheClockLowersItsLevelToWhatFitsThen) {
  Send(1, 60000);
  ServerHint hint = ComeBackIn(seconds(9));
  hint.dimension = Dimension::kTokens;
  group_.Refuse(At({}), 1, hint);
  EXPECT_EQ(left(), 30000);
  EXPECT_EQ(GoesAfter(), seconds(9));
  EXPECT_THAT(Ask(group_, At(seconds(9)), 2, 60000).granted, IsEmpty()) << "it was room for one";
}

TEST_F(Refusal, WithHeadersAloneLowersTheLevelToWhatTheyTold) {
  Send(1, 51963);
  group_.OnHeaders(At({}), 1, TokenHeaders(200000, 39807));
  group_.Refuse(At({}), 1, {});
  EXPECT_EQ(left(), 39807) << "which is without the refused one";
  EXPECT_EQ(GoesAfter() / milliseconds(1), 3646);
}

TEST_F(Refusal, WithHeadersThatShowMuchUseLowersTheLevelToWhatTheyTold) {
  Send(1, 150000);
  group_.OnHeaders(At({}), 1, TokenHeaders(200000, 10000));
  group_.Refuse(At({}), 1, ComeBackIn(seconds(42)));
  EXPECT_EQ(left(), 10000);
}

TEST_F(Refusal, HeadersOfRefusalsNeverCountAsRoom) {
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) {
    const BootTime now = At(hours(id));
    Send(id, 100000, now);
    group_.OnHeaders(now, id, TokenHeaders(200000, 150000));
    group_.Refuse(now, id, ComeBackIn(seconds(1)));
    EXPECT_EQ(left(now), 150000);
    group_.Leave(id);
  }
}

TEST_F(Refusal, ThatSaysNothingPausesASecondThenTwiceThatUpToAMinute) {
  BootTime now = At({});
  Send(1, 100);
  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    group_.Refuse(now, 1, {});
    EXPECT_EQ(GoesAfter(now), seconds(expected));
    now += seconds(expected);
  }
  group_.Settle(now, 1, Settlement::kCharged);
  Send(2, 100, now);
  group_.Refuse(now, 2, {});
  EXPECT_EQ(GoesAfter(now), seconds(1)) << "a success in between begins anew";
}

TEST_F(Refusal, OfManyThatWereUnderWayTogetherIsOneReasonToPause) {
  for (LimitGroup::RequestId id = 1; id <= 40; ++id) Send(id, 1);
  for (LimitGroup::RequestId id = 1; id <= 40; ++id) group_.Refuse(At(milliseconds(id)), id, {});
  EXPECT_EQ(GoesAfter(At(milliseconds(1))), seconds(1));
}

TEST_F(Refusal, ThatNamesNoTimeToWaitIsNotTriedAgainAtOnce) {
  const ServerHint at_once = ComeBackIn({});
  ServerHint beside_the_point;
  beside_the_point.used = 5;
  const ServerHint room_enough = Text(200000, 0, 100);
  for (const ServerHint& hint : {at_once, beside_the_point, room_enough}) {
    LimitGroup group = LearntGroup({TokensPerMinute(200000)});
    Ask(group, At({}), 1, 100);
    group.Refuse(At({}), 1, hint);
    EXPECT_EQ(group.NextAdmission(At({})), At(seconds(1)));
  }
}

TEST_F(Refusal, OfAnUnnamedDimensionSaysNothingAboutTokens) {
  Send(1, 5000);
  group_.Refuse(At({}), 1, Text(3, 3, 1, seconds(20), std::nullopt));
  EXPECT_EQ(group_.LargestAdmissible(), 200000);
  EXPECT_THAT(group_.Admit(At(seconds(20))).granted, ElementsAre(1));
  EXPECT_EQ(left(At(seconds(20))), 195000);
}

TEST_F(Refusal, OfRequestsIsLearnt) {
  Send(1, 5000);
  group_.Refuse(At({}), 1, Text(3, 3, 1, seconds(20), Dimension::kRequests));
  EXPECT_EQ(Remaining(group_, At({}), Dimension::kRequests), 0);
  EXPECT_EQ(left(), 200000);
  EXPECT_EQ(GoesAfter(), seconds(20));
}

TEST_F(Refusal, OfTheDayLeavesTheMinuteAlone) {
  LimitGroup group = LearntGroup({RequestsPerMinute(3)});
  Ask(group, At({}), 1, 10);
  group.Refuse(At({}), 1, Text(200, 200, 1, seconds(432), Dimension::kRequests));
  const auto levels = group.Levels(At({}));
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0].limit, 3);
  EXPECT_EQ(levels[0].per, kMinute);
  EXPECT_EQ(levels[1].limit, 200);
  EXPECT_EQ(levels[1].per, kDay);
  EXPECT_EQ(levels[1].remaining, 0);
  EXPECT_EQ(group.NextAdmission(At({})), At(seconds(432)));
}

TEST_F(Refusal, OfConcurrencySetsHowManyGoAtOnce) {
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) Send(id, 100);
  ServerHint hint = ComeBackIn(seconds(1));
  hint.dimension = Dimension::kConcurrency;
  hint.limit = 1;
  group_.Refuse(At({}), 2, hint);
  group_.Refuse(At({}), 3, hint);
  EXPECT_EQ(group_.NextAdmission(At({})), std::nullopt) << "1 is under way";
  group_.Settle(At(seconds(5)), 1, Settlement::kCharged);
  EXPECT_THAT(group_.Admit(At(seconds(5))).granted, ElementsAre(2));
  EXPECT_EQ(group_.Levels(At(seconds(5))).back().source, LimitSource::kRefusal);
}

TEST_F(Refusal, OfConcurrencyDoesNotWidenWhatIsConfigured) {
  LimitGroup group = LearntGroup({}, 2);
  Ask(group, At({}), 1, 100);
  ServerHint hint = ComeBackIn(seconds(1));
  hint.dimension = Dimension::kConcurrency;
  hint.limit = 50;
  group.Refuse(At({}), 1, hint);
  EXPECT_EQ(group.Levels(At({}))[0].limit, 2);
}

TEST_F(Refusal, ThatClaimsAbsurdUseIsBelievedToOneLimitOfDebt) {
  Send(1, 100);
  group_.Refuse(At({}), 1, Text(200000, 999'999'999'999'999, 100));
  EXPECT_EQ(left(), -200000);
  EXPECT_LE(GoesAfter(), 2 * kMinute);
}

TEST_F(Refusal, OfAWindowDoesNotChargeItForTheWait) {
  for (const WindowKind kind : {WindowKind::kSliding, WindowKind::kFixed}) {
    LimitGroup group = LearntGroup({TokensPerMinute(600, kind)});
    Ask(group, At({}), 1, 300);
    Ask(group, At(seconds(50)), 2, 200);
    ServerHint hint = ComeBackIn(seconds(12));
    hint.dimension = Dimension::kTokens;
    group.Refuse(At(seconds(50)), 2, hint);
    EXPECT_EQ(group.NextAdmission(At(seconds(50))), At(seconds(62)));
  }
}

}  // namespace
}  // namespace holdfast::quota
