#include "bench/policies/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/policies/report.h"
#include "bench/policies/scenarios.h"

namespace holdfast::bench {
namespace {

using std::chrono::hours;

using Value = std::function<double(const Result&)>;
using Seeds = std::vector<Result>;

// Each scenario is played once for all rows.
class Games {
 public:
  Games(const PolicyMaker& policy, int seeds, const std::function<void(const std::string&)>& progress)
      : policy_(policy), seeds_(seeds), progress_(progress) {}

  const Seeds& Of(const std::string& name, Duration length, double tokens_per_minute) {
    Scenario scenario = At(*FindScenario(name), tokens_per_minute);
    scenario.workload.length = length;
    const std::string key = fmt::format("{}, {} TPM, {} h", name, tokens_per_minute, length / hours(1));
    const auto [found, is_new] = played_.try_emplace(key);
    if (!is_new) return found->second;
    for (int seed = 1; seed <= seeds_; ++seed) {
      progress_(fmt::format("{}, seed {}", key, seed));
      found->second.push_back(Play(policy_, scenario, static_cast<uint64_t>(seed)));
    }
    return found->second;
  }

  Seeds All() const {
    Seeds all;
    for (const auto& [name, seeds] : played_) all.insert(all.end(), seeds.begin(), seeds.end());
    return all;
  }
  size_t scenarios() const { return played_.size(); }

 private:
  const PolicyMaker& policy_;
  int seeds_;
  const std::function<void(const std::string&)>& progress_;
  std::map<std::string, Seeds> played_;
};

double Refused(const Result& r) {
  return static_cast<double>(r.refusals) / static_cast<double>(std::max<int64_t>(1, r.admissions));
}

// The largest deviation of a tenant's share from what its weight asks for, relative to that.
double ShareError(const Result& r, const std::map<std::string, double>& weights) {
  double all = 0;
  double all_weights = 0;
  for (const auto& [tenant, tokens] : r.tenants) all += tokens;
  for (const auto& [tenant, weight] : weights) all_weights += weight;
  double worst = 0;
  for (const auto& [tenant, weight] : weights) {
    const auto found = r.tenants.find(tenant);
    const double share = found == r.tenants.end() ? 0 : found->second / all;
    worst = std::max(worst, std::abs(share / (weight / all_weights) - 1));
  }
  return worst;
}

// Infinite where it was not learnt.
Value LessonOf(bool up, bool probes) {
  return [up, probes](const Result& r) {
    double most = 0;
    for (const LimitWatch::Lesson& lesson : r.lessons) {
      if ((lesson.to > lesson.from) != up) continue;
      most = std::max<double>(most, !lesson.learnt ? INFINITY : probes ? lesson.probes : lesson.responses);
    }
    return most;
  };
}

Value ErrorAt(double q) {
  return [q](const Result& r) { return 100 * Quantile(r.forecasts.errors, q); };
}

class Table {
 public:
  enum class Bound { kAtLeast, kAtMost, kBelow };

  // `unit`: behind the numbers.
  void Add(const std::string& measure, const std::string& where, const Seeds& seeds, const Value& value, Bound bound,
           double required, int digits, const std::string& unit = "") {
    const bool holds = std::all_of(seeds.begin(), seeds.end(), [&](const Result& r) {
      const double measured = value(r);
      switch (bound) {
        case Bound::kAtLeast:
          return measured >= required;
        case Bound::kAtMost:
          return measured <= required;
        case Bound::kBelow:
          break;
      }
      return measured < required;
    });
    const char* sign = bound == Bound::kAtLeast ? "≥ " : bound == Bound::kAtMost ? "≤ " : "< ";
    verdicts_.push_back({measure, where, fmt::format("{}{}{}", sign, required, unit),
                         RangeOf(seeds, value, digits) + unit, holds && !seeds.empty()});
  }
  void AddForecast(const std::string& where, const Seeds& seeds, double median, double p90, bool interval) {
    Add("announced waits over 10 s: median error", where, seeds, ErrorAt(0.5), Bound::kAtMost, median, 1, " %");
    Add("its 90th percentile", where, seeds, ErrorAt(0.9), Bound::kAtMost, p90, 1, " %");
    if (!interval) return;
    const auto coverage = [](const Result& r) { return 100 * r.forecasts.coverage(); };
    Add("waits inside the announced 80 % interval", where, seeds, coverage, Bound::kAtLeast, 77, 1, " %");
    verdicts_.back().required = "77 to 83 %";
    verdicts_.back().holds &=
        std::all_of(seeds.begin(), seeds.end(), [&](const Result& r) { return coverage(r) <= 83; });
    Add(
        "median width of that interval, of the wait", where, seeds,
        [](const Result& r) { return 100 * Quantile(r.forecasts.widths, 0.5); }, Bound::kAtMost, 40, 1, " %");
  }
  std::vector<Verdict> Take() { return std::move(verdicts_); }

 private:
  std::vector<Verdict> verdicts_;
};

}  // namespace

std::vector<Verdict> Judge(const PolicyMaker& policy, int seeds,
                           const std::function<void(const std::string&)>& progress) {
  using Bound = Table::Bound;
  constexpr double kSmall = 200'000;
  constexpr double kLarge = 2'000'000;
  Games games(policy, seeds, progress);
  Table table;

  const Seeds& sole = games.Of("sole", hours(24), kSmall);
  const Seeds& sole_large = games.Of("sole", hours(4), kLarge);
  const Seeds& fixed = games.Of("fixed", hours(4), kSmall);
  const Value use = [](const Result& r) { return 100 * r.use; };
  const char* kUse = "TPM used while tokens bind and anybody waits";
  table.Add(kUse, "sole, 200k TPM, 24 h", sole, use, Bound::kAtLeast, 99.9, 3, " %");
  table.Add(kUse, "sole, 2M TPM, 4 h", sole_large, use, Bound::kAtLeast, 99.9, 3, " %");
  table.Add(kUse, "fixed windows, 200k TPM, 4 h", fixed, use, Bound::kAtLeast, 98, 2, " %");

  const Seeds& million = games.Of("million", hours(6), kLarge);
  table.Add(
      "admissions as the sole user of the key", "million, 2M TPM, 6 h", million,
      [](const Result& r) { return static_cast<double>(r.admissions); }, Bound::kAtLeast, 1e6, 0);
  table.Add(
      "refusals at the provider, of 100,000 admissions", "million, 2M TPM, 6 h", million,
      [](const Result& r) { return 1e5 * Refused(r); }, Bound::kBelow, 1, 3);
  table.Add(
      "refusals at the provider", "sole, 200k TPM, 24 h", sole,
      [](const Result& r) { return static_cast<double>(r.refusals); }, Bound::kAtMost, 0, 0);

  const Seeds& foreign = games.Of("foreign", hours(24), kSmall);
  const Seeds& foreign_large = games.Of("foreign", hours(2), kLarge);
  const Value refused = [](const Result& r) { return 100 * Refused(r); };
  const Value reached = [](const Result& r) { return static_cast<double>(r.refusals_at_clients); };
  table.Add("refusals with 20 % foreign use, of admissions", "foreign, 200k TPM, 24 h", foreign, refused, Bound::kBelow,
            1, 2, " %");
  table.Add("refusals that reach a client", "foreign, 200k TPM, 24 h", foreign, reached, Bound::kAtMost, 0, 0);
  table.Add("refusals with 20 % foreign use, of admissions", "foreign, 2M TPM, 2 h", foreign_large, refused,
            Bound::kBelow, 1, 2, " %");
  table.Add("refusals that reach a client", "foreign, 2M TPM, 2 h", foreign_large, reached, Bound::kAtMost, 0, 0);
  table.Add(kUse, "foreign, 200k TPM, 24 h", foreign, use, Bound::kAtLeast, 99.9, 3, " %");

  const Seeds& weights = games.Of("weights", hours(8), kSmall);
  table.Add(
      "Jain's index while all flows are backlogged", "sole, 200k TPM, 24 h", sole,
      [](const Result& r) { return r.Jain(); }, Bound::kAtLeast, 0.99, 4);
  table.Add(
      "Jain's index while all flows are backlogged", "sole, 2M TPM, 4 h", sole_large,
      [](const Result& r) { return r.Jain(); }, Bound::kAtLeast, 0.99, 4);
  const std::map<std::string, double> asked = {{"tenant 0", 1}, {"tenant 1", 2}, {"tenant 2", 5}};
  table.Add(
      "shares at weights 1:2:5, farthest from what is due", "weights, 200k TPM, 8 h", weights,
      [&](const Result& r) { return 100 * ShareError(r, asked); }, Bound::kAtMost, 2, 2, " %");

  table.AddForecast("sole, 200k TPM, 24 h", sole, 5, 15, /*interval=*/true);
  table.AddForecast("sole, 2M TPM, 4 h", sole_large, 10, 35, /*interval=*/false);

  const Seeds& told = games.Of("limit-change", hours(3), kSmall);
  const Seeds& silent = games.Of("limit-change-silent", hours(3), kSmall);
  table.Add("responses until a lower limit is learnt", "limit-change", told, LessonOf(false, false), Bound::kAtMost, 3,
            0);
  table.Add("responses until a lower limit is learnt", "limit-change-silent", silent, LessonOf(false, false),
            Bound::kAtMost, 3, 0);
  table.Add("responses until a higher limit is learnt", "limit-change", told, LessonOf(true, false), Bound::kAtMost, 10,
            0);
  table.Add("probes until a higher limit is learnt, without headers", "limit-change-silent", silent,
            LessonOf(true, true), Bound::kAtMost, 3, 0);

  const Seeds& kimi = games.Of("kimi", hours(8), kSmall);
  const Value useful = [](const Result& r) { return r.useful; };
  table.Add("useful goodput where max_tokens is charged for good", "kimi, 200k TPM, 8 h", kimi, useful, Bound::kAtLeast,
            0.95, 3);
  const Seeds& kimi_fixed = games.Of("kimi-fixed", hours(8), kSmall);
  table.Add("the same with a fixed 32,000, to compare", "kimi-fixed, 200k TPM, 8 h", kimi_fixed, useful, Bound::kAtMost,
            0.95, 3);

  games.Of("settled", hours(8), kSmall);
  const std::string everywhere = fmt::format("all {} of these, and settled", games.scenarios() - 1);
  const Seeds all = games.All();
  table.Add(
      "sessions died, tasks lost", everywhere, all,
      [](const Result& r) { return static_cast<double>(r.sessions_died); }, Bound::kAtMost, 0, 0);
  return table.Take();
}

std::string TableOf(const std::vector<Verdict>& verdicts) {
  std::string text = "| measure | where | required | measured | |\n|---|---|---|---|---|\n";
  for (const Verdict& v : verdicts) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", v.measure, v.where, v.required, v.measured,
                        v.holds ? "pass" : "FAIL");
  }
  return text;
}

}  // namespace holdfast::bench
