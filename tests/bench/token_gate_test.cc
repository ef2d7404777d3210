#include "bench/policies/token_gate.h"

#include <gtest/gtest.h>

namespace holdfast::bench {
namespace {

using std::chrono::seconds;

constexpr BootTime kBegin{std::chrono::hours(1)};

class TokenGateTest : public testing::Test {
 protected:
  void Make(Window window) { gate_ = MakeTokenGate(window, 60'000, kBegin, seconds(20)); }
  void At(int second) { gate_->Advance(kBegin + seconds(second)); }

  std::unique_ptr<TokenGate> gate_;
};

TEST_F(TokenGateTest, ABucketRefillsAllTheTime) {
  Make(Window::kContinuous);
  gate_->Charge(50'000);
  EXPECT_EQ(gate_->UntilFits(40'000), seconds(30));
  EXPECT_EQ(gate_->UntilWhole(), seconds(50));
  At(30);
  EXPECT_NEAR(gate_->level(), 40'000, 1e-6);
}

TEST_F(TokenGateTest, ABucketLosesWhatItCannotHold) {
  Make(Window::kContinuous);
  gate_->Charge(10'000);
  At(30);
  EXPECT_NEAR(gate_->level(), 60'000, 1e-6);
  EXPECT_NEAR(gate_->offered(), 30'000, 1e-6);
  EXPECT_NEAR(gate_->lost(), 20'000, 1e-6);
}

TEST_F(TokenGateTest, ABucketGivesBackWhatWasNotUsedAndOwesWhatWas) {
  Make(Window::kContinuous);
  gate_->Charge(60'000);
  gate_->GiveBack(20'000, kBegin);
  EXPECT_EQ(gate_->level(), 20'000);
  gate_->GiveBack(-30'000, kBegin);
  EXPECT_EQ(gate_->level(), -10'000);
}

TEST_F(TokenGateTest, ASlidingWindowRemembersAMinute) {
  Make(Window::kSliding);
  gate_->Charge(20'000);
  At(10);
  gate_->Charge(30'000);
  EXPECT_EQ(gate_->level(), 10'000);
  EXPECT_EQ(gate_->UntilFits(30'000), seconds(50));
  EXPECT_EQ(gate_->UntilFits(31'000), seconds(60));
  At(60);
  EXPECT_EQ(gate_->level(), 30'000);
  gate_->GiveBack(30'000, kBegin + seconds(10));
  EXPECT_EQ(gate_->level(), 60'000);
}

TEST_F(TokenGateTest, ASlidingWindowLosesTheRoomThatNobodyTakes) {
  Make(Window::kSliding);
  gate_->Charge(30'000);
  At(120);
  EXPECT_NEAR(gate_->offered(), 120'000, 1e-6);
  EXPECT_NEAR(gate_->lost(), 90'000, 1e-6);
}

TEST_F(TokenGateTest, AFixedWindowIsWholeAtItsEndAndLosesWhatWasLeft) {
  Make(Window::kFixed);
  gate_->Charge(50'000);
  EXPECT_EQ(gate_->UntilFits(20'000), seconds(20));
  At(19);
  EXPECT_EQ(gate_->level(), 10'000);
  At(20);
  EXPECT_EQ(gate_->level(), 60'000);
  EXPECT_EQ(gate_->UntilWhole(), seconds(60));
  EXPECT_EQ(gate_->lost(), 10'000);
  At(140);
  EXPECT_EQ(gate_->lost(), 130'000);
}

TEST_F(TokenGateTest, WhatIsUsedStaysUsedWhenTheLimitChanges) {
  for (const Window window : {Window::kContinuous, Window::kSliding, Window::kFixed}) {
    Make(window);
    gate_->Charge(50'000);
    gate_->SetLimit(40'000);
    EXPECT_EQ(gate_->level(), -10'000);
    gate_->SetLimit(100'000);
    EXPECT_EQ(gate_->level(), 50'000);
  }
}

}  // namespace
}  // namespace holdfast::bench
