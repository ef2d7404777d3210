#include "bench/policies/charge.h"

#include <gtest/gtest.h>

#include "bench/policies/workload.h"

namespace holdfast::bench {
namespace {

constexpr Request kRequest = {.characters = 720'000, .cap = 32'000, .input = 160'008, .output = 500};

TEST(Charge, OpenAiTakesTheGreaterOfCapAndText) {
  EXPECT_EQ(ChargeAtGate(ChargeRule::kGreaterOfCapAndText, kRequest), 180'002);
  EXPECT_EQ(ChargeAtGate(ChargeRule::kGreaterOfCapAndText, {.characters = 8, .cap = 4'096}), 4'096);
}

TEST(Charge, KimiTakesRealInputAndTheCap) { EXPECT_EQ(ChargeAtGate(ChargeRule::kInputAndCap, kRequest), 192'008); }

TEST(Charge, ACapCutsTheAnswerShort) {
  EXPECT_EQ(UsageOf({.cap = 100, .output = 500}).output, 100);
  EXPECT_TRUE(UsageOf({.cap = 100, .output = 500}).cut_short);
  EXPECT_FALSE(UsageOf({.cap = 500, .output = 500}).cut_short);
  EXPECT_EQ(UsageOf({.cap = 0, .output = 500}).output, 500);
}

TEST(Charge, ACapThatIsPaidForAndNotUsedIsWorthNothing) {
  const Usage usage = UsageOf(kRequest);
  EXPECT_EQ(Worth(ChargeRule::kInputAndCap, kRequest, usage), 160'508);
  EXPECT_EQ(Worth(ChargeRule::kSettled, kRequest, usage), 160'508);
  EXPECT_EQ(Worth(ChargeRule::kGreaterOfCapAndText, kRequest, usage), 180'002);
}

}  // namespace
}  // namespace holdfast::bench
