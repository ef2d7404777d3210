// What admission promises, over hours of simulated agent sessions before an independent provider. The figures of long
// runs are in docs/admission.md; these are the bounds that no change may break.
#include <gtest/gtest.h>

#include <cmath>

#include "bench/policies/central_policy.h"
#include "bench/policies/client_policies.h"
#include "bench/policies/workload.h"

namespace holdfast::bench {
namespace {

const PolicyMaker kOurs = {"ours", [](World& world, Provider& provider, const ProviderOptions& options) {
                             return MakeCentral(world, provider, options, /*fair=*/true);
                           }};

class PoliciesTest : public testing::TestWithParam<uint64_t> {
 protected:
  PoliciesTest() { workload_.length = std::chrono::hours(2); }

  Result Ours() const { return Play(kOurs, provider_, workload_, GetParam()); }

  ProviderOptions provider_;
  WorkloadOptions workload_;
};

TEST_P(PoliciesTest, ASoleUserIsNeverRefusedAndLosesNoTokenAndNoSession) {
  const Result result = Ours();
  EXPECT_EQ(result.refusals, 0);
  EXPECT_EQ(result.sessions_died, 0);
  EXPECT_GE(result.used, 0.999);
  EXPECT_LE(result.wasted_refill, 0.001);
  EXPECT_GT(result.large_served, 0);
}

TEST_P(PoliciesTest, BackloggedSessionsHaveTheSame) { EXPECT_GE(Ours().Jain(), 0.99); }

TEST_P(PoliciesTest, TenantsHaveSharesByTheirWeights) {
  workload_.weights = {1, 2, 5};
  workload_.sessions = 42;
  workload_.large_senders = 0;
  const Result result = Ours();
  double all = 0;
  for (const auto& [tenant, tokens] : result.by_tenant) all += tokens;
  EXPECT_NEAR(result.by_tenant.at("tenant 0") / all, 1.0 / 8, 0.02);
  EXPECT_NEAR(result.by_tenant.at("tenant 1") / all, 2.0 / 8, 0.02);
  EXPECT_NEAR(result.by_tenant.at("tenant 2") / all, 5.0 / 8, 0.02);
}

TEST_P(PoliciesTest, AnnouncedWaitsAreTrue) {
  workload_.length = std::chrono::hours(5);
  const Result result = Ours();
  EXPECT_LE(Quantile(result.forecast_errors, 0.5), 0.05);
  EXPECT_LE(Quantile(result.forecast_errors, 0.9), 0.15);
  const double within =
      static_cast<double>(result.within_interval) / static_cast<double>(result.forecast_errors.size());
  EXPECT_NEAR(within, 0.8, 0.05);
  EXPECT_LE(Quantile(result.interval_widths, 0.5), 0.4);
}

TEST_P(PoliciesTest, OthersOnTheSameKeyCauseRefusalsThatNobodyDiesOf) {
  provider_.foreign_share = 0.2;
  const Result result = Ours();
  EXPECT_GT(result.refusals, 0) << "nobody else spends anything";
  EXPECT_EQ(result.sessions_died, 0);
  EXPECT_LE(Quantile(result.forecast_errors, 0.5), 0.1);
}

TEST_P(PoliciesTest, WhatPeopleUseTodayLosesSessions) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  workload_.length = std::chrono::minutes(20);
  for (const RetryRule& rule : {ExponentialFrom(milliseconds(200), 5), RetryAfterUpTo(seconds(60), 2)}) {
    const PolicyMaker theirs = {"theirs", [&rule](World& world, Provider& provider, const ProviderOptions&) {
                                  return MakeRetrying(world, provider, rule);
                                }};
    const Result result = Play(theirs, provider_, workload_, GetParam());
    EXPECT_GT(result.sessions_died, 100);
    EXPECT_GT(result.refusals, result.admissions);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoliciesTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace holdfast::bench
