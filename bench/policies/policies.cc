// Plays the same workload under what people use today and under quota_service's admission, in simulated time, and
// prints what became of it. Usage: policies [hours] [tokens per minute] [foreign share] [seeds] [name]
#include <fmt/format.h>

#include <cstdlib>

#include "bench/policies/central_policy.h"
#include "bench/policies/client_policies.h"
#include "bench/policies/workload.h"

namespace holdfast::bench {

std::vector<PolicyMaker> Policies() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto retrying = [](RetryRule rule) {
    return [rule = std::move(rule)](World& world, Provider& provider, const ProviderOptions&) {
      return MakeRetrying(world, provider, rule);
    };
  };
  const auto central = [](bool fair) {
    return [fair](World& world, Provider& provider, const ProviderOptions& options) {
      return MakeCentral(world, provider, options, fair);
    };
  };
  return {{"Codex: 5 retries from 200 ms", retrying(ExponentialFrom(milliseconds(200), 5))},
          {"SDK: 2 retries, retry-after to 60 s", retrying(RetryAfterUpTo(seconds(60), 2))},
          {"retry-after without end", retrying(RetryAfterWithoutEnd())},
          {"gateway that rejects, 8 retries", retrying(RetryAfterUpTo(seconds(60), 8))},
          {"central, first in first out", central(false)},
          {"Holdfast", central(true)}};
}

namespace {

void Print(const std::string& name, const Result& r) {
  fmt::print(
      "{:36} {:7.3f} {:6.3f} {:7.4f} {:9} {:8} {:6} {:6} {:7.1f} {:7.1f} {:7.1f} {:6.3f} {:4}/{:<4} {:6.1f} {:6.1f} "
      "{:6.1f} {:6.1f}\n",
      name, r.useful_goodput, r.used, r.wasted_refill, r.admissions, r.refusals, r.sessions_died, r.tasks_done,
      Quantile(r.waits, 0.5), Quantile(r.waits, 0.95), Quantile(r.waits, 1), r.Jain(), r.large_served, r.large_failed,
      100 * Quantile(r.forecast_errors, 0.5), 100 * Quantile(r.forecast_errors, 0.9),
      100.0 * r.within_interval / std::max<double>(1, static_cast<double>(r.interval_widths.size())),
      100 * Quantile(r.interval_widths, 0.5));
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  using namespace holdfast::bench;
  const auto number = [&](int index, double otherwise) { return argc > index ? std::atof(argv[index]) : otherwise; };
  WorkloadOptions workload;
  workload.length = holdfast::FromSeconds(number(1, 4) * 3600);
  ProviderOptions provider;
  provider.tokens_per_minute = number(2, 200'000);
  provider.foreign_share = number(3, 0);
  workload.sessions = static_cast<int>(workload.sessions * provider.tokens_per_minute / 200'000);
  const int seeds = static_cast<int>(number(4, 3));
  fmt::print("{:36} {:>7} {:>6} {:>7} {:>9} {:>8} {:>6} {:>6} {:>7} {:>7} {:>7} {:>6} {:>9} {:>6} {:>6} {:>6} {:>6}\n",
             "policy", "useful", "used", "lost", "admitted", "refused", "died", "tasks", "p50 s", "p95 s", "max s",
             "Jain", "large", "err50%", "err90%", "in%", "width%");
  const std::string only = argc > 5 ? argv[5] : "";
  for (const PolicyMaker& policy : Policies()) {
    if (!only.empty() && policy.name != only) continue;
    for (int seed = 1; seed <= seeds; ++seed) {
      Print(policy.name, Play(policy, provider, workload, static_cast<uint64_t>(seed)));
    }
  }
}
