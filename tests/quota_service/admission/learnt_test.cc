// What a limit group learns from what happens: who comes back, and how its forecasts turned out.
#include <gtest/gtest.h>

#include "quota_service/admission/forecast_record.h"
#include "quota_service/admission/returns.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;

constexpr uint64_t kAgent = 1;

TEST(Returns, LearnThatAgentsComeBackAndJobsDoNot) {
  Returns returns;
  EXPECT_EQ(returns.rate(), 0);
  BootTime now = At({});
  for (int step = 0; step < 100; ++step, now += seconds(10)) {
    returns.Came(now, kAgent);
    returns.Ended(now + seconds(1), kAgent);
  }
  EXPECT_GT(returns.rate(), 0.95);
  for (uint64_t job = kAgent + 1; job <= kAgent + 100; ++job, now += seconds(10)) {
    returns.Came(now, job);
    returns.Ended(now + seconds(1), job);
  }
  EXPECT_LT(returns.rate(), 0.05);
}

TEST(Returns, TooLateIsNoReturn) {
  Returns returns;
  BootTime now = At({});
  for (int step = 0; step < 20; ++step, now += seconds(60)) {
    returns.Came(now, kAgent);
    returns.Ended(now, kAgent);
  }
  EXPECT_EQ(returns.rate(), 0);
}

TEST(ForecastRecord, IsSilentUntilItHasEnoughToGoBy) {
  ForecastRecord record;
  for (int i = 0; i < 19; ++i) record.Observe(seconds(10), {}, seconds(20));
  EXPECT_EQ(record.ratios().median, 1);
  record.Observe(seconds(10), {}, seconds(20));
  EXPECT_DOUBLE_EQ(record.ratios().median, 2);
}

TEST(ForecastRecord, TellsTheSpreadAndIgnoresShortWaits) {
  ForecastRecord record;
  for (int i = 0; i <= 100; ++i) record.Observe(seconds(100), {}, seconds(100 + i));
  for (int i = 0; i < 500; ++i) record.Observe(seconds(1), {}, seconds(60));
  EXPECT_NEAR(record.ratios().low, 1.1, 0.01);
  EXPECT_NEAR(record.ratios().median, 1.5, 0.01);
  EXPECT_NEAR(record.ratios().high, 1.9, 0.01);
}

TEST(ForecastRecord, WidensItsIntervalUntilFourOfFiveWaitsFallInside) {
  // Every tenth wait is far off, one way or the other, and always another one: quantiles of the past hold too few.
  ForecastRecord record;
  int inside = 0;
  constexpr int kWaits = 20'000;
  double level = 1;
  for (int i = 0; i < kWaits; ++i) {
    const ForecastRecord::Ratios told = record.ratios();
    level *= i % 2 == 0 ? 1.002 : 1 / 1.001;
    if (level > 3) level = 1;
    const double ratio = level * (i % 10 == 0 ? 1.5 : i % 10 == 5 ? 0.5 : 1);
    if (i >= 2000) inside += told.low <= ratio && ratio <= told.high ? 1 : 0;
    record.Observe(seconds(100), told, FromSeconds(100 * ratio));
  }
  EXPECT_NEAR(inside / double{kWaits - 2000}, 0.8, 0.02);
}

}  // namespace
}  // namespace holdfast::quota
