#include "quota_service/budget/daily_budget.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::quota {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

// Noon of a day.
constexpr int64_t kToday = 20'000;
const WallTime kNoon = WallTime(days(kToday)) + hours(12);

TEST(DailyBudget, ReservesWhatIsLeftAndNoMore) {
  DailyBudget budget({.tokens = 1000});
  EXPECT_TRUE(budget.Reserve(kNoon, 600));
  EXPECT_FALSE(budget.Reserve(kNoon, 401));
  EXPECT_EQ(budget.left(kNoon), 400) << "what was refused has taken nothing";
  EXPECT_TRUE(budget.Reserve(kNoon, 400));
  EXPECT_FALSE(budget.Reserve(kNoon, 1));
  EXPECT_TRUE(budget.Reserve(kNoon, 0));
}

TEST(DailyBudget, WhatWasNotNeededComesBack) {
  DailyBudget budget({.tokens = 1000});
  ASSERT_TRUE(budget.Reserve(kNoon, 900));
  budget.Spend(kNoon, 250);
  budget.Release(900);
  EXPECT_EQ(budget.spent(kNoon), 250);
  EXPECT_EQ(budget.left(kNoon), 750);
}

TEST(DailyBudget, CallsThatCameToMoreLeaveADebtOfThisDayAlone) {
  DailyBudget budget({.tokens = 1000});
  ASSERT_TRUE(budget.Reserve(kNoon, 1000));
  budget.Spend(kNoon, 1500);
  budget.Release(1000);
  EXPECT_EQ(budget.left(kNoon), -500);
  EXPECT_EQ(budget.left(kNoon + days(1)), 1000);
}

TEST(DailyBudget, IsWholeAgainAtMidnightUtc) {
  DailyBudget budget({.tokens = 1000});
  budget.Spend(kNoon, 1000);
  EXPECT_EQ(budget.UntilReset(kNoon), hours(12));
  EXPECT_EQ(budget.Reset(kNoon), kNoon + hours(12));
  const WallTime midnight = kNoon + hours(12);
  EXPECT_FALSE(budget.Reserve(midnight - seconds(1), 1));
  EXPECT_EQ(budget.UntilReset(midnight - seconds(1)), seconds(1));
  EXPECT_TRUE(budget.Reserve(midnight, 1000));
  EXPECT_EQ(budget.UntilReset(midnight), hours(24));
}

TEST(DailyBudget, AReservationGoesAlongIntoTheNewDay) {
  DailyBudget budget({.tokens = 1000});
  ASSERT_TRUE(budget.Reserve(kNoon, 700));
  EXPECT_EQ(budget.left(kNoon + days(1)), 300);
}

TEST(DailyBudget, WarnsOnceADayWhenTheShareIsReached) {
  DailyBudget budget({.tokens = 1000, .warning = 0.8});
  EXPECT_FALSE(budget.Spend(kNoon, 799));
  EXPECT_FALSE(budget.warned(kNoon));
  EXPECT_TRUE(budget.Spend(kNoon, 1));
  EXPECT_TRUE(budget.warned(kNoon));
  EXPECT_FALSE(budget.Spend(kNoon, 500)) << "today it is known";
  EXPECT_FALSE(budget.warned(kNoon + days(1)));
  EXPECT_TRUE(budget.Spend(kNoon + days(1), 900));
}

TEST(DailyBudget, KnowsWhatIsLargerThanAWholeDay) {
  const DailyBudget budget({.tokens = 1000});
  EXPECT_FALSE(budget.NeverFits(1000));
  EXPECT_TRUE(budget.NeverFits(1001));
}

TEST(DailyBudget, ARestartOnTheSameDayGivesNothingBack) {
  DailyBudget before({.tokens = 1000});
  before.Spend(kNoon, 900);
  DailyBudget after({.tokens = 1000});
  after.Restore(kNoon + hours(1), before.Export(kNoon));
  EXPECT_EQ(after.left(kNoon + hours(1)), 100);
  EXPECT_TRUE(after.warned(kNoon + hours(1))) << "and does not warn a second time";
}

TEST(DailyBudget, ARestartOnAnotherDayBeginsAnew) {
  DailyBudget before({.tokens = 1000});
  before.Spend(kNoon, 900);
  DailyBudget after({.tokens = 1000});
  after.Restore(kNoon + days(1), before.Export(kNoon));
  EXPECT_EQ(after.left(kNoon + days(1)), 1000);
}

TEST(DailyBudget, AClockThatIsSetBackOverMidnightDoesNotGiveYesterdayAgain) {
  DailyBudget budget({.tokens = 1000});
  const WallTime early = kNoon - hours(11);
  budget.Spend(early, 1000);
  const WallTime yesterday = early - hours(2);
  EXPECT_EQ(budget.left(yesterday), 0);
  EXPECT_EQ(budget.UntilReset(yesterday), hours(25)) << "the end of the day that had begun";
  EXPECT_EQ(budget.left(early), 0);
}

TEST(DailyBudget, AClockThatWasFarAheadDoesNotLockTheBudgetForYears) {
  DailyBudget budget({.tokens = 1000});
  budget.Spend(kNoon + days(3650), 600);
  EXPECT_EQ(budget.left(kNoon), 400) << "what was spent stays spent";
  EXPECT_EQ(budget.UntilReset(kNoon), hours(12));
  EXPECT_EQ(budget.left(kNoon + days(1)), 1000);
}

TEST(DailyBudget, NonsenseNeitherFillsNorOverflowsIt) {
  DailyBudget budget({.tokens = 1000});
  budget.Spend(kNoon, -5);
  EXPECT_EQ(budget.spent(kNoon), 0);
  budget.Spend(kNoon, std::numeric_limits<int64_t>::max());
  budget.Spend(kNoon, std::numeric_limits<int64_t>::max());
  EXPECT_LT(budget.left(kNoon), 0);
  budget.Restore(kNoon, {.day = kToday, .spent = -7});
  EXPECT_EQ(budget.left(kNoon), 1000);
}

}  // namespace
}  // namespace holdfast::quota
