#include "quota_service/retry/retry_budget.h"

#include <gmock/gmock.h>

#include <random>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RetryBudgetTest : public testing::Test {
 protected:
  int WithdrawAll(RetryBudget& budget) const {
    int count = 0;
    while (budget.TryWithdraw(now_)) ++count;
    return count;
  }

  BootTime now_{hours(5)};
  RetryBudget budget_{{.share = 0.2, .floor_per_second = 1}};
};

TEST_F(RetryBudgetTest, AllowsTheFloorWithoutAnyRequest) { EXPECT_EQ(WithdrawAll(budget_), 10); }

TEST_F(RetryBudgetTest, AddsAFifthOfTheRequests) {
  for (int i = 0; i < 500; ++i) budget_.Deposit(now_);
  EXPECT_EQ(WithdrawAll(budget_), 110);
}

TEST_F(RetryBudgetTest, ForgetsRequestsAfterTheWindow) {
  for (int i = 0; i < 500; ++i) budget_.Deposit(now_);
  now_ += RetryBudget::kWindow + seconds(1);
  EXPECT_EQ(WithdrawAll(budget_), 10);
}

TEST_F(RetryBudgetTest, GivesWithdrawnRetriesBackAfterTheWindow) {
  WithdrawAll(budget_);
  now_ += RetryBudget::kWindow / 2;
  EXPECT_FALSE(budget_.TryWithdraw(now_));
  now_ += RetryBudget::kWindow / 2 + seconds(1);
  EXPECT_EQ(WithdrawAll(budget_), 10);
}

TEST_F(RetryBudgetTest, SaysHowLongUntilTheNextRetry) {
  EXPECT_EQ(budget_.UntilAvailable(now_), Duration::zero());
  WithdrawAll(budget_);
  const Duration wait = budget_.UntilAvailable(now_);
  EXPECT_GT(wait, Duration::zero());
  EXPECT_LE(wait, RetryBudget::kWindow);
  EXPECT_FALSE(budget_.TryWithdraw(now_ + wait - milliseconds(1)));
  EXPECT_TRUE(budget_.TryWithdraw(now_ + wait));
}

TEST_F(RetryBudgetTest, AlwaysOpensAgainWithinTheWindow) {
  RetryBudget nothing({.share = 0, .floor_per_second = 0});
  EXPECT_EQ(WithdrawAll(nothing), 1);
  EXPECT_LE(nothing.UntilAvailable(now_), RetryBudget::kWindow);
  EXPECT_TRUE(nothing.TryWithdraw(now_ + nothing.UntilAvailable(now_)));
}

TEST_F(RetryBudgetTest, AnnouncesTrulyUnderAnyLoad) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    now_ += milliseconds(random() % 700);
    for (auto deposits = random() % 8; deposits > 0; --deposits) budget_.Deposit(now_);
    while (random() % 3 != 0) {
      const Duration wait = budget_.UntilAvailable(now_);
      ASSERT_LE(wait, RetryBudget::kWindow);
      ASSERT_EQ(budget_.TryWithdraw(now_), wait == Duration::zero());
    }
  }
}

TEST_F(RetryBudgetTest, TakesAnEarlierMomentAsTheLatestSeen) {
  WithdrawAll(budget_);
  EXPECT_FALSE(budget_.TryWithdraw(now_ - hours(1)));
  EXPECT_LE(budget_.UntilAvailable(now_ - hours(1)), RetryBudget::kWindow);
}

}  // namespace
}  // namespace holdfast::quota
