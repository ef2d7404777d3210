#include "quota_service/budget/budget_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/fakes/simulated_loop.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class Caller final : public BudgetClient {
 public:
  void OnBudgetReserved() override {
    ++reserved;
    if (on_reserved) on_reserved();
  }
  void OnBudgetWaiting(const WaitEstimate& estimate) override {
    waits.push_back(estimate);
    if (on_waiting) on_waiting();
  }
  void OnBudgetRejected(const BudgetRejection& rejection) override { rejections.push_back(rejection); }

  int reserved = 0;
  std::vector<WaitEstimate> waits;
  std::vector<BudgetRejection> rejections;
  std::function<void()> on_reserved;
  std::function<void()> on_waiting;
  std::unique_ptr<BudgetPlace> place;
};

class BudgetGateTest : public testing::Test {
 protected:
  static constexpr int64_t kBudget = 1000;

  BudgetGateTest() {
    options_.limits = {{"a", {.tokens = kBudget}}, {"b", {.tokens = kBudget}}};
    // Noon.
    loop_.JumpWall(WallTime(std::chrono::days(20'000)) + hours(12) - loop_.WallNow());
    Open();
  }
  void Open() {
    gate_ = std::make_unique<BudgetGate>(loop_, options_,
                                         [this](const BudgetStanding& standing) { warnings_.push_back(standing); });
  }
  Caller& Enter(int64_t tokens, const std::string& tenant = "a", int64_t bytes = 0, int64_t guessed = 0) {
    Caller& caller = callers_.emplace_back();
    caller.place = gate_->Enter({tenant, "session", tokens, bytes, guessed}, &caller);
    return caller;
  }
  BudgetStanding Of(const std::string& tenant) {
    for (const BudgetStanding& standing : gate_->Standings()) {
      if (standing.tenant == tenant) return standing;
    }
    return {};
  }

  SimulatedLoop loop_;
  BudgetOptions options_;
  std::vector<BudgetStanding> warnings_;
  std::unique_ptr<BudgetGate> gate_;
  std::deque<Caller> callers_;
};

TEST_F(BudgetGateTest, WhatFitsHasReservedAtOnce) {
  const Caller& caller = Enter(kBudget);
  EXPECT_TRUE(caller.place->reserved());
  loop_.RunUntilIdle();
  EXPECT_EQ(caller.reserved, 0) << "it need not be told";
  EXPECT_EQ(Of("a").reserved, kBudget);
}

TEST_F(BudgetGateTest, WhatIsOnlyGuessedToBeTooLargeReservesTheWholeBudget) {
  const Caller& guess = Enter(kBudget + 100, "a", 0, /*guessed=*/100);
  EXPECT_TRUE(guess.place->reserved());
  EXPECT_EQ(Of("a").reserved, kBudget);
  const Caller& known = Enter(kBudget + 100, "b", 0, /*guessed=*/99);
  loop_.RunUntilIdle();
  ASSERT_THAT(known.rejections, SizeIs(1));
  EXPECT_TRUE(known.rejections[0].never_fits);
}

TEST_F(BudgetGateTest, ATenantWithoutABudgetPasses) {
  EXPECT_TRUE(Enter(1'000'000'000, "nobody").place->reserved());
  callers_.back().place->Spend(1'000'000'000);
  EXPECT_THAT(gate_->Standings(), SizeIs(2));
}

TEST_F(BudgetGateTest, ManyAtOnceCannotOverrunIt) {
  int passed = 0;
  for (int i = 0; i < 40; ++i) passed += Enter(100).place->reserved() ? 1 : 0;
  EXPECT_EQ(passed, 10);
}

TEST_F(BudgetGateTest, AWaiterIsToldWhyUntilWhenAndItsPosition) {
  Enter(100).place->Spend(950);
  callers_.front().place.reset();
  const Caller& first = Enter(51);
  const Caller& second = Enter(60);
  EXPECT_TRUE(first.waits.empty()) << "never from inside";
  loop_.RunUntilIdle();
  ASSERT_THAT(first.waits, SizeIs(1));
  EXPECT_EQ(first.waits[0].reason, WaitEstimate::Reason::kLimit);
  EXPECT_EQ(first.waits[0].limit, kBudget);
  EXPECT_EQ(first.waits[0].per, hours(24));
  EXPECT_EQ(first.waits[0].used, 950);
  EXPECT_EQ(first.waits[0].requested, 51);
  EXPECT_EQ(first.waits[0].wait, hours(12));
  EXPECT_EQ(first.waits[0].least, hours(12));
  EXPECT_EQ(first.waits[0].most, hours(12));
  EXPECT_EQ(first.waits[0].position, 1);
  ASSERT_THAT(second.waits, SizeIs(1));
  EXPECT_EQ(second.waits[0].position, 2);
}

TEST_F(BudgetGateTest, WhatCallsUnderWayHoldMayComeBackBeforeTheReset) {
  Caller& running = Enter(kBudget);
  const Caller& waiting = Enter(300);
  loop_.RunUntilIdle();
  ASSERT_THAT(waiting.waits, SizeIs(1));
  EXPECT_EQ(waiting.waits[0].least, Duration::zero());
  EXPECT_EQ(waiting.waits[0].wait, hours(12));
  running.place->Spend(700);
  running.place.reset();
  EXPECT_EQ(waiting.reserved, 0);
  loop_.RunUntilIdle();
  EXPECT_EQ(waiting.reserved, 1);
  EXPECT_TRUE(waiting.place->reserved());
  EXPECT_EQ(Of("a").waiting, 0u);
}

TEST_F(BudgetGateTest, AllWhoFitPassAtTheResetInTheOrderOfArrival) {
  Enter(1).place->Spend(kBudget);
  callers_.front().place.reset();
  std::vector<int> order;
  for (const int64_t tokens : {600, 300, 200}) {
    Caller& caller = Enter(tokens);
    caller.on_reserved = [&order, tokens] { order.push_back(static_cast<int>(tokens)); };
  }
  loop_.Advance(hours(12) - seconds(1));
  EXPECT_THAT(order, ElementsAre());
  loop_.Advance(seconds(1));
  EXPECT_THAT(order, ElementsAre(600, 300)) << "and 200 are not left";
}

TEST_F(BudgetGateTest, ALargeOneKeepsNoSmallerOneFromWhatIsLeft) {
  Enter(1).place->Spend(500);
  callers_.front().place.reset();
  EXPECT_FALSE(Enter(501).place->reserved());
  EXPECT_TRUE(Enter(400).place->reserved());
}

TEST_F(BudgetGateTest, OneTenantsBudgetIsNoOtherOnes) {
  Enter(kBudget);
  EXPECT_FALSE(Enter(1).place->reserved());
  EXPECT_TRUE(Enter(kBudget, "b").place->reserved());
}

TEST_F(BudgetGateTest, AWallClockThatIsSetForwardIsNoticedWithinAMinute) {
  Enter(1).place->Spend(kBudget);
  callers_.front().place.reset();
  const Caller& waiting = Enter(10);
  loop_.RunUntilIdle();
  loop_.JumpWall(hours(12));
  loop_.Advance(minutes(1));
  EXPECT_EQ(waiting.reserved, 1);
}

TEST_F(BudgetGateTest, WhoLeavesIsNotToldAndTheOthersMoveUp) {
  Enter(1).place->Spend(kBudget);
  callers_.front().place.reset();
  Caller& first = Enter(10);
  const Caller& second = Enter(20);
  loop_.RunUntilIdle();
  first.place.reset();
  loop_.Advance(seconds(1));
  EXPECT_THAT(first.waits, SizeIs(1));
  ASSERT_THAT(second.waits, SizeIs(2));
  EXPECT_EQ(second.waits[1].position, 1);
  EXPECT_EQ(Of("a").waiting, 1u);
}

TEST_F(BudgetGateTest, WhatIsLargerThanADayIsRejectedWithTheSizes) {
  const Caller& caller = Enter(kBudget + 1);
  EXPECT_TRUE(caller.rejections.empty());
  loop_.RunUntilIdle();
  ASSERT_THAT(caller.rejections, SizeIs(1));
  EXPECT_TRUE(caller.rejections[0].never_fits);
  EXPECT_EQ(caller.rejections[0].limit, kBudget);
  EXPECT_THAT(caller.rejections[0].message,
              testing::AllOf(HasSubstr("1001"), HasSubstr("1000"), HasSubstr("tenant a")));
  EXPECT_EQ(Of("a").waiting, 0u);
}

TEST_F(BudgetGateTest, NeitherTooManyCallsNorTooManyBytesOfThemWait) {
  options_.most_waiting = 2;
  options_.most_waiting_bytes = 100;
  Open();
  Enter(1).place->Spend(kBudget);
  Caller& large = Enter(1, "a", 90);
  EXPECT_EQ(Of("a").waiting, 1u);
  const Caller& too_large = Enter(1, "a", 11);
  Enter(1, "a", 10);
  const Caller& too_many = Enter(1, "a", 0);
  loop_.RunUntilIdle();
  for (const Caller* turned_away : {&too_large, &too_many}) {
    ASSERT_THAT(turned_away->rejections, SizeIs(1));
    EXPECT_FALSE(turned_away->rejections[0].never_fits);
    EXPECT_EQ(turned_away->rejections[0].retry_after, hours(12));
  }
  large.place.reset();
  const Caller& room_again = Enter(1, "a", 90);
  loop_.RunUntilIdle();
  EXPECT_THAT(room_again.rejections, SizeIs(0));
}

TEST_F(BudgetGateTest, WarnsOnceADay) {
  Enter(1);
  callers_.front().place->Spend(799);
  EXPECT_THAT(warnings_, SizeIs(0));
  callers_.front().place->Spend(1);
  callers_.front().place->Spend(100);
  ASSERT_THAT(warnings_, SizeIs(1));
  EXPECT_EQ(warnings_[0].tenant, "a");
  EXPECT_EQ(warnings_[0].spent, 800);
  EXPECT_TRUE(Of("a").warned);
}

TEST_F(BudgetGateTest, ClientsMayGiveUpAnyPlaceFromInsideACallback) {
  Enter(1).place->Spend(kBudget);
  callers_.front().place.reset();
  Caller& first = Enter(10);
  Caller& second = Enter(10);
  first.on_waiting = [&] {
    second.place.reset();
    first.place.reset();
  };
  loop_.RunUntilIdle();
  EXPECT_THAT(second.waits, SizeIs(0));
  Caller& third = Enter(10);
  Caller& fourth = Enter(10);
  third.on_reserved = [&] { fourth.place.reset(); };
  loop_.Advance(hours(12));
  EXPECT_EQ(third.reserved, 1);
  EXPECT_EQ(fourth.reserved, 0);
  EXPECT_EQ(Of("a").reserved, 10) << "what was given up is free again";
}

TEST_F(BudgetGateTest, WhatIsKeptOverARestartIsSpentAndNotReserved) {
  Enter(100);
  callers_.front().place->Spend(900);
  const auto kept = gate_->Export();
  callers_.front().place.reset();
  Open();
  gate_->Restore(kept);
  EXPECT_EQ(Of("a").spent, 900);
  EXPECT_EQ(Of("a").reserved, 0);
  EXPECT_FALSE(Enter(101).place->reserved());
  callers_.clear();
}

TEST_F(BudgetGateTest, SaysWhatANewCallWouldBeTold) {
  EXPECT_EQ(gate_->WouldWait("a", kBudget)->reason, WaitEstimate::Reason::kNone);
  EXPECT_EQ(gate_->WouldWait("nobody", 1'000'000)->reason, WaitEstimate::Reason::kNone);
  EXPECT_FALSE(gate_->WouldWait("a", kBudget + 1));
  Enter(1).place->Spend(kBudget);
  EXPECT_EQ(gate_->WouldWait("a", 5)->wait, hours(12));
  EXPECT_EQ(gate_->WouldWait("a", 5)->position, 1);
}

}  // namespace
}  // namespace holdfast::quota
