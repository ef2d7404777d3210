// kill -9 of each process at each of the moments that matter; the session is started again as its operator or its user
// would, and ends as if nothing had happened.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "tests/e2e/kill_findings.h"

namespace holdfast::test {
namespace {

std::string TestName(Victim victim, Moment moment) {
  std::string name = fmt::format("{}_{}", Name(victim), Name(moment));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class Killed : public testing::TestWithParam<std::tuple<Victim, Moment>> {};

TEST_P(Killed, LosesNothingAndRepeatsNothing) {
  static const Evidence undisturbed = KilledSession(OneTurn(), std::nullopt).Run();
  ASSERT_TRUE(undisturbed.troubles.empty()) << undisturbed.troubles.front();
  const auto [victim, moment] = GetParam();
  const Evidence killed = KilledSession(OneTurn(), Kill{.victim = victim, .moment = moment}).Run();
  ASSERT_TRUE(killed.killed) << "the moment did not come";
  const KillFindings findings = Compare(undisturbed, killed);
  for (const std::string& trouble : findings.troubles) ADD_FAILURE() << trouble;
  EXPECT_EQ(findings.events_missing, 0);
  EXPECT_EQ(findings.answers_twice, 0);
  EXPECT_EQ(findings.side_effects_twice, 0);
  // Whether a command ran whose runner died is the one thing that nobody can know; the model is told, and it does not
  // run again.
  const bool unknowable = KillsRunner(victim);
  EXPECT_EQ(findings.ambiguous, unknowable ? 1 : 0);
  EXPECT_LE(findings.extra_upstream, KillsQuota(victim) ? 1 : 0);
}

std::string CellName(const testing::TestParamInfo<std::tuple<Victim, Moment>>& cell) {
  return TestName(std::get<0>(cell.param), std::get<1>(cell.param));
}

INSTANTIATE_TEST_SUITE_P(Processes, Killed,
                         testing::Combine(testing::ValuesIn(kVictims), testing::ValuesIn(kNamedMoments)), CellName);
INSTANTIATE_TEST_SUITE_P(Runner, Killed,
                         testing::Combine(testing::ValuesIn(kRunnerVictims), testing::Values(Moment::kCommand)),
                         CellName);

}  // namespace
}  // namespace holdfast::test
