#include "quota_service/admission/gauge.h"

#include <gtest/gtest.h>

#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class EveryGauge : public testing::TestWithParam<WindowKind> {
 protected:
  std::unique_ptr<Gauge> gauge_ = MakeGauge(GetParam(), 600, kMinute);
};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryGauge,
                         testing::Values(WindowKind::kContinuous, WindowKind::kSliding, WindowKind::kFixed));

TEST_P(EveryGauge, IsFullAtFirst) {
  EXPECT_EQ(gauge_->Level(At({})), 600);
  EXPECT_EQ(gauge_->limit(), 600);
  EXPECT_EQ(gauge_->per(), kMinute);
  EXPECT_TRUE(gauge_->Fits(At({}), 600));
}

TEST_P(EveryGauge, NeverFitsMoreThanItsLimit) {
  EXPECT_EQ(gauge_->WhenFits(At({}), 601), BootTime::max());
  EXPECT_FALSE(gauge_->Fits(At(hours(1)), 601));
}

TEST_P(EveryGauge, IsWholeAgainWhenTheWindowIsOverAndNeverAboveItsLimit) {
  gauge_->Charge(At({}), 600);
  EXPECT_EQ(gauge_->Level(At({})), 0);
  EXPECT_EQ(gauge_->Level(At(kMinute)), 600);
  EXPECT_EQ(gauge_->Level(At(hours(5))), 600);
}

TEST_P(EveryGauge, FitsTheWholeLimitAtTheMomentThatItNamesAndNotANanosecondBefore) {
  gauge_->Charge(At({}), 600);
  const BootTime when = gauge_->WhenFits(At(seconds(3)), 600);
  EXPECT_EQ(when, At(kMinute));
  EXPECT_FALSE(gauge_->Fits(when - nanoseconds(1), 600));
  EXPECT_TRUE(gauge_->Fits(when, 600));
}

TEST_P(EveryGauge, AMomentThatIsNamedHolds) {
  for (int amount = 13; amount <= 600; amount += 7) {
    auto gauge = MakeGauge(GetParam(), 600, kMinute);
    gauge->Charge(At({}), 599);
    gauge->Charge(At(milliseconds(1234)), 1);
    const BootTime when = gauge->WhenFits(At(milliseconds(1234)), amount);
    EXPECT_TRUE(gauge->Fits(when, amount)) << amount;
    EXPECT_FALSE(gauge->Fits(when - nanoseconds(1), amount)) << amount;
  }
}

TEST_P(EveryGauge, KeepsWhatIsUsedWhenItsLimitChanges) {
  gauge_->Charge(At({}), 400);
  gauge_->SetLimit(At({}), 1000);
  EXPECT_EQ(gauge_->Level(At({})), 600);
  gauge_->SetLimit(At({}), 300);
  EXPECT_EQ(gauge_->Level(At({})), -100);
  EXPECT_EQ(gauge_->WhenFits(At({}), 301), BootTime::max());
}

TEST_P(EveryGauge, IsWholeAgainWithinTwoWindowsHoweverFarItsLimitFalls) {
  gauge_->SetLimit(At({}), 1e15);
  gauge_->Charge(At({}), 1e15);
  gauge_->SetLimit(At({}), 10);
  EXPECT_LE(gauge_->WhenFits(At({}), 10), At(2 * kMinute));
}

TEST_P(EveryGauge, NamesNoMomentBeyondTheClock) {
  const auto gauge = MakeGauge(GetParam(), 600, 3650 * kDay);
  BootTime now = At({});
  for (int window = 0; window < 60; ++window) {
    gauge->Charge(now, 600);
    const BootTime next = gauge->WhenFits(now, 600);
    ASSERT_GE(next, now);
    now = next;
  }
  EXPECT_GT(now, At(200 * 365 * kDay));
}

TEST_P(EveryGauge, CorrectsBothWaysAndNeverAboveItsLimit) {
  gauge_->Charge(At({}), 300);
  gauge_->Correct(At({}), -100);
  EXPECT_EQ(gauge_->Level(At({})), 200);
  gauge_->Correct(At({}), 150);
  EXPECT_EQ(gauge_->Level(At({})), 350);
  gauge_->Correct(At({}), 9999);
  EXPECT_EQ(gauge_->Level(At({})), 600);
}

TEST_P(EveryGauge, ReturnsAChargeOnce) {
  gauge_->Charge(At({}), 250);
  gauge_->Charge(At(nanoseconds(1)), 100);
  gauge_->Return(At(nanoseconds(1)), At({}), 250);
  EXPECT_NEAR(gauge_->Level(At(nanoseconds(1))), 500, 1e-6);
}

TEST_P(EveryGauge, ACloneGoesItsOwnWay) {
  gauge_->Charge(At({}), 100);
  const auto clone = gauge_->Clone();
  clone->Charge(At({}), 200);
  EXPECT_EQ(gauge_->Level(At({})), 500);
  EXPECT_EQ(clone->Level(At({})), 300);
}

TEST(ContinuousGauge, RefillsEvenly) {
  const auto gauge = MakeGauge(WindowKind::kContinuous, 600, kMinute);
  gauge->Charge(At({}), 600);
  EXPECT_DOUBLE_EQ(gauge->Level(At(seconds(1))), 10);
  EXPECT_DOUBLE_EQ(gauge->Level(At(milliseconds(30'500))), 305);
  EXPECT_EQ(gauge->WhenFits(At(seconds(1)), 25), At(milliseconds(2500)));
}

// 60 in a minute refill a millionth in a microsecond: an error of rounding that is measured in tokens comes too early.
TEST(ContinuousGauge, IsNotEarlyWhereTheLimitIsSmall) {
  for (const Duration per : {kMinute, kDay}) {
    const auto gauge = MakeGauge(WindowKind::kContinuous, 3, per);
    gauge->Charge(At({}), 3);
    EXPECT_EQ(gauge->WhenFits(At({}), 1), At(per / 3));
    EXPECT_FALSE(gauge->Fits(At(per / 3 - nanoseconds(1)), 1));
    EXPECT_TRUE(gauge->Fits(At(per / 3), 1));
  }
}

TEST(SlidingGauge, LetsEachChargeGoWhenItIsAWindowOld) {
  const auto gauge = MakeGauge(WindowKind::kSliding, 600, kMinute);
  gauge->Charge(At({}), 100);
  gauge->Charge(At(seconds(20)), 500);
  EXPECT_EQ(gauge->Level(At(seconds(60) - nanoseconds(1))), 0);
  EXPECT_EQ(gauge->Level(At(seconds(60))), 100);
  EXPECT_EQ(gauge->WhenFits(At(seconds(30)), 100), At(seconds(60)));
  EXPECT_EQ(gauge->WhenFits(At(seconds(30)), 101), At(seconds(80)));
}

TEST(SlidingGauge, ReturnsTheChargeThatWasMadeAndNotANewerOne) {
  const auto gauge = MakeGauge(WindowKind::kSliding, 600, kMinute);
  gauge->Charge(At({}), 300);
  gauge->Charge(At(seconds(30)), 300);
  gauge->Return(At(seconds(31)), At({}), 300);
  EXPECT_EQ(gauge->Level(At(seconds(31))), 300);
  EXPECT_EQ(gauge->Level(At(seconds(61))), 300);
  EXPECT_EQ(gauge->Level(At(seconds(90))), 600);
}

TEST(SlidingGauge, ReturnsNothingForAChargeThatHasGone) {
  const auto gauge = MakeGauge(WindowKind::kSliding, 600, kMinute);
  gauge->Charge(At({}), 300);
  gauge->Charge(At(seconds(61)), 500);
  gauge->Return(At(seconds(62)), At({}), 300);
  EXPECT_EQ(gauge->Level(At(seconds(62))), 100);
}

// Which charge is not there is unknown; taking that which would be held longest lets others go too early.
TEST(SlidingGauge, GivesRoomBackFromTheOldestCharges) {
  const auto gauge = MakeGauge(WindowKind::kSliding, 600, kMinute);
  gauge->Charge(At({}), 300);
  gauge->Charge(At(seconds(30)), 300);
  gauge->Correct(At(seconds(31)), 300);
  EXPECT_EQ(gauge->Level(At(seconds(61))), 300);
}

TEST(FixedGauge, BeginsWithTheFirstChargeAndIsWholeAtTheEndOfEachWindow) {
  const auto gauge = MakeGauge(WindowKind::kFixed, 600, kMinute);
  gauge->Charge(At(seconds(10)), 600);
  EXPECT_EQ(gauge->Level(At(seconds(70) - nanoseconds(1))), 0);
  EXPECT_EQ(gauge->Level(At(seconds(70))), 600);
  // The window of 130 to 190 s, whoever is in it.
  gauge->Charge(At(seconds(185)), 500);
  EXPECT_EQ(gauge->WhenFits(At(seconds(186)), 101), At(seconds(190)));
}

TEST(FixedGauge, ReturnsNothingForAChargeOfAWindowThatHasEnded) {
  const auto gauge = MakeGauge(WindowKind::kFixed, 600, kMinute);
  gauge->Charge(At({}), 300);
  gauge->Charge(At(seconds(61)), 500);
  gauge->Return(At(seconds(62)), At({}), 300);
  EXPECT_EQ(gauge->Level(At(seconds(62))), 100);
}

}  // namespace
}  // namespace holdfast::quota
