#include "quota_service/estimate/recent_samples.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::quota {
namespace {

TEST(RecentSamples, KeepTheLast) {
  RecentSamples<int> samples(3);
  for (int i = 1; i <= 5; ++i) samples.Add(i);
  EXPECT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples.Quantile(0.5), 4);
}

TEST(RecentSamples, TellNoQuantileFromTooFew) {
  RecentSamples<int> samples(100);
  for (int i = 1; i <= 8; ++i) samples.Add(i);
  EXPECT_EQ(samples.Quantile(0.9), std::nullopt);
  samples.Add(9);
  EXPECT_EQ(samples.Quantile(0.9), 9);
  EXPECT_EQ(samples.Quantile(0.95), std::nullopt);
}

TEST(RecentSamples, CoverTheNextSampleAsOftenAsTheyPromise) {
  std::mt19937 random(5);
  std::lognormal_distribution<double> answers(6, 1);
  RecentSamples<double> samples(64);
  int covered = 0;
  constexpr int kTrials = 20'000;
  for (int i = 0; i < kTrials; ++i) {
    const double next = answers(random);
    if (const auto q90 = samples.Quantile(0.9)) covered += next <= *q90 ? 1 : 0;
    samples.Add(next);
  }
  EXPECT_NEAR(static_cast<double>(covered) / kTrials, 0.905, 0.015);
}

}  // namespace
}  // namespace holdfast::quota
