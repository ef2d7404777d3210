// The kill matrix: one scripted session a kill, at moments and after times that a seed determines. What is left of each
// is compared with an undisturbed run (docs/reliability.md, "Kills").
//
//   HOLDFAST_KILLS   how many; default 30
//   HOLDFAST_SEED    default: a new one, which is printed
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "tests/e2e/kill_findings.h"

namespace holdfast::test {
namespace {

constexpr int kUsualKills = 30;
// They mostly wait: four keep one core half busy.
constexpr int kSessionsAtOnce = 4;
// A moment that did not come, because the machine was slow and the wait over before it was seen, is sought again.
constexpr int kTries = 3;
constexpr Duration kLongestAway = std::chrono::milliseconds(200);

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

using Cell = std::pair<Victim, Moment>;

// Every cell in turn, "any instant" twice as often as each other.
std::vector<Cell> Cells() {
  std::vector<Cell> cells;
  for (const Moment moment : kMoments) {
    for (const Victim victim : kVictims) {
      cells.emplace_back(victim, moment);
      if (moment == Moment::kInstant) cells.emplace_back(victim, moment);
    }
  }
  return cells;
}

Kill PlanOf(uint64_t seed, int index, Duration undisturbed) {
  static const std::vector<Cell> cells = Cells();
  std::seed_seq sequence{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(index)};
  std::mt19937_64 random(sequence);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Kill kill;
  std::tie(kill.victim, kill.moment) = cells[static_cast<size_t>(index) % cells.size()];
  kill.turn = kill.moment == Moment::kWait ? static_cast<int>(pick(1, 2)) * 2 : static_cast<int>(pick(1, 4));
  kill.instant = Duration(pick(0, undisturbed.count()));
  kill.away = Duration(pick(0, kLongestAway.count()));
  kill.quota_first = pick(0, 1) == 1;
  return kill;
}

struct Row {
  int kills = 0;
  KillFindings findings;
};

std::string RowText(const std::string& victim, const std::string& moment, const Row& row) {
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", victim, moment, row.kills,
                     row.findings.events_missing, row.findings.answers_twice, row.findings.side_effects_twice,
                     row.findings.troubles.size(), row.findings.ambiguous, row.findings.extra_upstream);
}

class KillMatrix : public testing::Test {
 protected:
  // Runs every kill, some sessions at a time.
  void RunAll(int kills, uint64_t seed) {
    std::atomic<int> next = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < kSessionsAtOnce; ++i) {
      workers.emplace_back([&] {
        for (int index = next++; index < kills; index = next++) RunOne(PlanOf(seed, index, undisturbed_.took), index);
      });
    }
    for (std::thread& worker : workers) worker.join();
  }

  void RunOne(const Kill& kill, int index) {
    Evidence evidence;
    for (int i = 0; i < kTries && !evidence.killed; ++i) evidence = KilledSession(FourTurns(), kill).Run();
    KillFindings findings = Compare(undisturbed_, evidence);
    if (!evidence.killed) findings.troubles.push_back("the moment did not come");
    const bool calls_lost = kill.victim == Victim::kQuota || kill.victim == Victim::kBoth;
    if (findings.extra_upstream > (calls_lost ? 1 : 0)) findings.troubles.push_back("the upstream was asked too often");
    const std::lock_guard lock(mutex_);
    for (const std::string& trouble : findings.troubles) {
      ADD_FAILURE() << fmt::format("kill {}, {} {}, turn {}, after {} ms, away {} ms: ", index, Name(kill.victim),
                                   Name(kill.moment), kill.turn, kill.instant.count() / 1'000'000,
                                   kill.away.count() / 1'000'000)
                    << trouble;
    }
    Row& row = rows_[{kill.victim, kill.moment}];
    row.kills += evidence.killed ? 1 : 0;
    row.findings.Add(findings);
  }

  Row Total() const {
    Row total;
    for (const auto& [cell, row] : rows_) {
      total.kills += row.kills;
      total.findings.Add(row.findings);
    }
    return total;
  }

  std::string Table() const {
    std::string text =
        "| killed | moment | kills | events missing | answers twice | side effects twice | other differences | "
        "ambiguous | extra upstream calls |\n|---|---|---|---|---|---|---|---|---|\n";
    for (const auto& [cell, row] : rows_) text += RowText(Name(cell.first), Name(cell.second), row);
    return text + RowText("all", "", Total());
  }

  Evidence undisturbed_;
  std::mutex mutex_;
  std::map<Cell, Row> rows_;
};

TEST_F(KillMatrix, WhatWasAcknowledgedIsThereAndNothingHappensTwice) {
  const auto kills = static_cast<int>(FromEnvironment("HOLDFAST_KILLS", kUsualKills));
  const uint64_t seed = FromEnvironment("HOLDFAST_SEED", std::random_device()());
  fmt::print("seed {}\n", seed);
  std::fflush(stdout);
  const BootTime began = BootClock::now();
  undisturbed_ = KilledSession(FourTurns(), std::nullopt).Run();
  ASSERT_TRUE(undisturbed_.troubles.empty()) << undisturbed_.troubles.front();
  // A session that waits, runs and patches as it should is what the others are compared with.
  const KillFindings itself = Compare(undisturbed_, undisturbed_);
  ASSERT_EQ(itself.troubles.size() + static_cast<size_t>(itself.side_effects_twice + itself.ambiguous), 0u);
  ASSERT_EQ(undisturbed_.upstream_bodies.size(), 13u);
  ASSERT_EQ(undisturbed_.files.size(), 9u);

  RunAll(kills, seed);
  const Row total = Total();
  fmt::print("{}\n{} kills, seed {}, {:.0f} s; the session undisturbed takes {:.1f} s\n", Table(), total.kills, seed,
             ToSeconds(BootClock::now() - began), ToSeconds(undisturbed_.took));
  EXPECT_EQ(total.kills, kills);
  EXPECT_EQ(total.findings.events_missing, 0);
  EXPECT_EQ(total.findings.answers_twice, 0);
  EXPECT_EQ(total.findings.side_effects_twice, 0);
}

}  // namespace
}  // namespace holdfast::test
