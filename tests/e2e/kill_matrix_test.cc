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
// They mostly wait: eight keep one core busy. In CI others want it too.
constexpr int kSessionsAtOnce = 8;
constexpr int kUsualSessionsAtOnce = 4;
// A moment that did not come, because the machine was slow and the wait over before it was seen, is sought again.
constexpr int kTries = 3;
constexpr Duration kLongestAway = std::chrono::milliseconds(200);
constexpr int kTurns = 8;
// Seconds; asked of the matrix that has the machine to itself. Where other programs take the cores, a session asks
// later than its script has in mind, what the simulator took meanwhile looks like the use of others, and is left room
// for.
constexpr double kLongestWait = 0.5;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

using Cell = std::pair<Victim, Moment>;

class Plan {
 public:
  Plan(uint64_t seed, const Evidence& undisturbed) : random_(seed), undisturbed_(undisturbed) {}

  // Every boundary of the log once, every named moment with every victim, and instants for the rest. Where there are
  // fewer kills, a choice of these.
  std::vector<Kill> Make(int kills) {
    std::vector<Kill> plan;
    int64_t last = 0;
    int64_t events = 0;
    for (const auto& event : undisturbed_.log) {
      events += event.has_wait_noted() ? 0 : 1;
      if (event.has_turn_completed()) last = events;
    }
    for (int64_t boundary = 2; boundary < last; ++boundary) {
      plan.push_back(Of(kVictims[static_cast<size_t>(boundary) % std::size(kVictims)], Moment::kBoundary));
      plan.back().boundary = boundary;
    }
    for (const Moment moment : kNamedMoments) {
      for (const Victim victim : kVictims) plan.push_back(Of(victim, moment));
    }
    for (const Victim victim : kRunnerVictims) {
      for (int i = 0; i < kRunnerKills; ++i) plan.push_back(Of(victim, Moment::kCommand));
    }
    // Most of a choice would be boundaries, of which any two are much alike.
    if (static_cast<int>(plan.size()) > kills) {
      std::shuffle(plan.begin(), plan.end(), random_);
      plan.resize(static_cast<size_t>(kills));
    }
    while (static_cast<int>(plan.size()) < kills) {
      const size_t all = std::size(kVictims) + std::size(kRunnerVictims);
      const size_t at = plan.size() % all;
      plan.push_back(
          Of(at < std::size(kVictims) ? kVictims[at] : kRunnerVictims[at - std::size(kVictims)], Moment::kInstant));
    }
    return plan;
  }

 private:
  static constexpr int kRunnerKills = 5;

  int64_t Pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }

  Kill Of(Victim victim, Moment moment) {
    Kill kill;
    kill.victim = victim;
    kill.moment = moment;
    kill.turn = moment == Moment::kWait ? static_cast<int>(Pick(1, kTurns / 2)) * 2 : static_cast<int>(Pick(1, kTurns));
    // A runner is killed when the next command runs; there is one in the last tenth, too, but hardly behind it.
    kill.instant = Duration(Pick(0, undisturbed_.took.count() * (KillsRunner(victim) ? 8 : 10) / 10));
    kill.away = Duration(Pick(0, kLongestAway.count()));
    kill.quota_first = Pick(0, 1) == 1;
    return kill;
  }

  std::mt19937_64 random_;
  const Evidence& undisturbed_;
};

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
  void RunAll(const std::vector<Kill>& plan) {
    std::atomic<size_t> next = 0;
    std::vector<std::thread> workers;
    const int at_once = plan.size() > kUsualKills ? kSessionsAtOnce : kUsualSessionsAtOnce;
    for (int i = 0; i < at_once; ++i) {
      workers.emplace_back([&] {
        for (size_t index = next++; index < plan.size(); index = next++) RunOne(plan[index], index);
      });
    }
    for (std::thread& worker : workers) worker.join();
  }

  void RunOne(const Kill& kill, size_t index) {
    Evidence evidence;
    for (int i = 0; i < kTries && !evidence.killed; ++i) evidence = KilledSession(EightTurns(), kill).Run();
    KillFindings findings = Compare(undisturbed_, evidence);
    if (!evidence.killed) findings.troubles.push_back("the moment did not come");
    if (findings.extra_upstream > (KillsQuota(kill.victim) ? 1 : 0))
      findings.troubles.push_back("the upstream was asked too often");
    if (findings.ambiguous > (KillsRunner(kill.victim) ? 1 : 0))
      findings.troubles.push_back("a call is ambiguous whose runner was not killed");
    const std::lock_guard lock(mutex_);
    for (const std::string& trouble : findings.troubles) {
      ADD_FAILURE() << fmt::format("kill {}, {} {}, turn {}, event {}, after {} ms, away {} ms: ", index,
                                   Name(kill.victim), Name(kill.moment), kill.turn, kill.boundary,
                                   kill.instant.count() / 1'000'000, kill.away.count() / 1'000'000)
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
  undisturbed_ = KilledSession(EightTurns(), std::nullopt).Run();
  ASSERT_TRUE(undisturbed_.troubles.empty()) << undisturbed_.troubles.front();
  // A session that waits, runs and patches as it should is what the others are compared with.
  const KillFindings itself = Compare(undisturbed_, undisturbed_);
  ASSERT_EQ(itself.troubles.size() + static_cast<size_t>(itself.side_effects_twice + itself.ambiguous), 0u);
  ASSERT_EQ(undisturbed_.upstream_bodies.size(), 26u);
  ASSERT_EQ(undisturbed_.files.size(), 16u);

  RunAll(Plan(seed, undisturbed_).Make(kills));
  const Row total = Total();
  fmt::print(
      "{}\n{} kills, seed {}, {:.0f} s; the session undisturbed takes {:.1f} s and has {} events; no wait for the "
      "limit was longer than {:.2f} s\n",
      Table(), total.kills, seed, ToSeconds(BootClock::now() - began), ToSeconds(undisturbed_.took),
      undisturbed_.log.size(), total.findings.longest_wait.seconds());
  EXPECT_EQ(total.kills, kills);
  EXPECT_EQ(total.findings.events_missing, 0);
  EXPECT_EQ(total.findings.answers_twice, 0);
  EXPECT_EQ(total.findings.side_effects_twice, 0);
  EXPECT_GT(total.findings.longest_wait.seconds(), 0);
  if (kills > kUsualKills) {
    EXPECT_LE(total.findings.longest_wait.seconds(), kLongestWait) << total.findings.longest_wait.ShortDebugString();
  }
}

}  // namespace
}  // namespace holdfast::test
