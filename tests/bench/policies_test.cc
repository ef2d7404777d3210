// What admission promises, over hours of simulated agent sessions before an independent provider. scripts/policies.sh
// measures the figures of docs/admission.md; these are the bounds that no change may break.
#include <gtest/gtest.h>

#include <cmath>

#include "bench/policies/scenarios.h"

namespace holdfast::bench {
namespace {

PolicyMaker PolicyNamed(const std::string& name) {
  for (PolicyMaker& policy : Policies()) {
    if (policy.name == name) return std::move(policy);
  }
  ADD_FAILURE() << name;
  return {};
}

class PoliciesTest : public testing::TestWithParam<uint64_t> {
 protected:
  void Take(const std::string& scenario, Duration length) {
    scenario_ = *FindScenario(scenario);
    scenario_.workload.length = length;
  }
  Result Ours() const { return Play(PolicyNamed("holdfast"), scenario_, GetParam()); }

  Scenario scenario_;
};

using std::chrono::hours;
using std::chrono::minutes;

TEST_P(PoliciesTest, ASoleUserIsNeverRefusedLosesNothingAndIsToldTheTruth) {
  Take("sole", hours(4));
  const Result result = Ours();
  EXPECT_EQ(result.refusals, 0);
  EXPECT_EQ(result.refusals_at_clients, 0);
  EXPECT_EQ(result.sessions_died, 0);
  EXPECT_EQ(result.without_task(), 0);
  EXPECT_GE(result.use, 0.999);
  EXPECT_GE(result.bound, 0.9) << "nobody waits";
  EXPECT_GT(result.large_served, 0);
  EXPECT_GE(result.backlogged, 0.9);
  EXPECT_GE(result.Jain(), 0.99);

  EXPECT_LE(Quantile(result.forecasts.errors, 0.5), 0.05);
  EXPECT_LE(Quantile(result.forecasts.errors, 0.9), 0.15);
  EXPECT_NEAR(result.forecasts.coverage(), 0.8, 0.05);
  EXPECT_LE(Quantile(result.forecasts.widths, 0.5), 0.4);
}

TEST_P(PoliciesTest, ABucketThatIsFullAndEmptyInTurnRefusesNothing) {
  Take("million", minutes(20));
  const Result result = Ours();
  EXPECT_GT(result.admissions, 40'000);
  EXPECT_EQ(result.refusals, 0);
}

TEST_P(PoliciesTest, TenantsHaveSharesByTheirWeights) {
  Take("weights", hours(3));
  const Result result = Ours();
  double all = 0;
  for (const auto& [tenant, tokens] : result.tenants) all += tokens;
  EXPECT_NEAR(result.tenants.at("tenant 0") / all, 1.0 / 8, 0.02);
  EXPECT_NEAR(result.tenants.at("tenant 1") / all, 2.0 / 8, 0.02);
  EXPECT_NEAR(result.tenants.at("tenant 2") / all, 5.0 / 8, 0.02);
  EXPECT_EQ(result.sessions_died, 0);
}

TEST_P(PoliciesTest, OthersOnTheSameKeyCauseRefusalsThatNoSessionSeesOrDiesOf) {
  Take("foreign", hours(2));
  const Result result = Ours();
  EXPECT_GT(result.foreign, 0.15);
  EXPECT_EQ(result.refusals_at_clients, 0);
  EXPECT_EQ(result.sessions_died, 0);
  EXPECT_GE(result.use, 0.999);
  EXPECT_LE(Quantile(result.forecasts.errors, 0.5), 0.1);
}

TEST_P(PoliciesTest, AChangedLimitIsLearntFromTheFirstHeaders) {
  Take("limit-change", hours(3));
  const Result result = Ours();
  ASSERT_EQ(result.lessons.size(), 2);
  for (const LimitWatch::Lesson& lesson : result.lessons) {
    EXPECT_TRUE(lesson.learnt);
    EXPECT_LE(lesson.responses, 3);
  }
  EXPECT_EQ(result.sessions_died, 0);
}

TEST_P(PoliciesTest, NoWindowAndNoRuleOfChargeKillsASession) {
  for (const char* name : {"fixed", "sliding", "settled", "kimi", "limit-change-silent"}) {
    Take(name, minutes(90));
    const Result result = Ours();
    EXPECT_EQ(result.sessions_died, 0) << name;
    EXPECT_EQ(result.refusals_at_clients, 0) << name;
  }
}

TEST_P(PoliciesTest, WhatPeopleUseTodayLosesSessionsOrStarvesThem) {
  Take("sole", minutes(20));
  for (const char* name : {"codex", "sdk", "gateway"}) {
    const Result result = Play(PolicyNamed(name), scenario_, GetParam());
    EXPECT_GT(result.sessions_died, 100) << name;
    EXPECT_GT(result.refusals_at_clients, result.admissions) << name;
  }
  Take("sole", hours(1));
  const Result result = Play(PolicyNamed("retry-after"), scenario_, GetParam());
  EXPECT_GT(result.without_task(), scenario_.workload.sessions / 2);
  EXPECT_LT(result.Jain(), 0.7);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoliciesTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace holdfast::bench
