// What a limit group learns from what happens: who comes back, what others spend, how its forecasts turned out.
#include <gtest/gtest.h>

#include "quota_service/admission/forecast_record.h"
#include "quota_service/admission/foreign_use.h"
#include "quota_service/admission/returns.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;

TEST(Returns, LearnThatAgentsComeBackAndJobsDoNot) {
  Returns returns;
  EXPECT_EQ(returns.rate(), 0);
  BootTime now = At({});
  for (int step = 0; step < 100; ++step, now += seconds(10)) {
    returns.Came(now, {"t", "agent"});
    returns.Ended(now + seconds(1), {"t", "agent"});
  }
  EXPECT_GT(returns.rate(), 0.95);
  for (int job = 0; job < 100; ++job, now += seconds(10)) {
    const Flow flow{"t", "job " + std::to_string(job)};
    returns.Came(now, flow);
    returns.Ended(now + seconds(1), flow);
  }
  EXPECT_LT(returns.rate(), 0.05);
}

TEST(Returns, TooLateIsNoReturn) {
  Returns returns;
  BootTime now = At({});
  for (int step = 0; step < 20; ++step, now += seconds(60)) {
    returns.Came(now, {"t", "s"});
    returns.Ended(now, {"t", "s"});
  }
  EXPECT_EQ(returns.rate(), 0);
}

TEST(ForeignUse, LeavesNoRoomWhereTheNetworksDelayExplainsAll) {
  ForeignUse use;
  for (int i = 0; i < 100; ++i) use.Observe(900, 1000);
  EXPECT_EQ(use.margin(), 0);
}

TEST(ForeignUse, OnceIsAnUnknownStartOrAChangedLimitAndNobodyElse) {
  ForeignUse use;
  for (int i = 0; i < 10; ++i) use.Observe(0, 10);
  use.Observe(160'000, 10);
  use.Observe(50'000, 10);
  EXPECT_EQ(use.margin(), 0);
}

TEST(ForeignUse, LeavesRoomForTheBurstsThatItSawAndForgetsThem) {
  ForeignUse use;
  for (int i = 0; i < 30; ++i) use.Observe(i % 3 == 0 ? 4000 : 0, 100);
  EXPECT_GE(use.margin(), 4000);
  EXPECT_LE(use.margin(), 6000);
  for (int i = 0; i < 200; ++i) use.Observe(0, 100);
  EXPECT_EQ(use.margin(), 0);
}

TEST(ForecastRecord, IsSilentUntilItHasEnoughToGoBy) {
  ForecastRecord record;
  for (int i = 0; i < 19; ++i) record.Observe(seconds(10), seconds(20));
  EXPECT_EQ(record.ratios().p50, 1);
  record.Observe(seconds(10), seconds(20));
  EXPECT_DOUBLE_EQ(record.ratios().p50, 2);
}

TEST(ForecastRecord, TellsTheSpreadAndIgnoresShortWaits) {
  ForecastRecord record;
  for (int i = 0; i <= 100; ++i) record.Observe(seconds(100), seconds(100 + i));
  for (int i = 0; i < 500; ++i) record.Observe(seconds(1), seconds(60));
  EXPECT_NEAR(record.ratios().p10, 1.1, 0.01);
  EXPECT_NEAR(record.ratios().p50, 1.5, 0.01);
  EXPECT_NEAR(record.ratios().p90, 1.9, 0.01);
}

// A margin never keeps a request from going that fits the limit.
TEST(ForeignUse, WhatFitsTheLimitGoesInFiniteTime) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  BootTime now = At({});
  for (LimitGroup::RequestId id = 1; id <= 10; ++id, now += seconds(30)) {
    group.Enqueue(now, id, 10);
    ASSERT_EQ(group.Admit(now).granted.size(), 1u);
    // Somebody else has just spent half of it.
    group.OnHeaders(now, id, TokenHeaders(600, 290));
    group.Settle(now, id, Settlement::kCharged);
  }
  group.Enqueue(now, 100, 600);
  group.Admit(now);
  const auto next = group.NextAdmission(now);
  ASSERT_TRUE(next.has_value());
  EXPECT_LE(*next, now + seconds(60));
  EXPECT_EQ(group.Admit(*next).granted.size(), 1u);
}

}  // namespace
}  // namespace holdfast::quota
