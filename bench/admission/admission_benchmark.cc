// What a decision costs: one request that comes, one that is admitted and one that has ended, while a number of flows
// have a request waiting each; beside a push and a pop of a std::priority_queue of that size in the same run.
#include <benchmark/benchmark.h>

#include <chrono>
#include <queue>
#include <random>
#include <string>

#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {
namespace {

constexpr uint64_t kTenants = 16;

// Names that were read a moment ago, as those of a call that has just come.
class Flows {
 public:
  // Valid until the next one.
  const Flow& operator[](uint64_t number) {
    const uint64_t tenant = number % kTenants;
    Write(tenant, 2, flow_.tenant);
    flow_.weight = 1.0 + static_cast<double>(tenant % 3);
    Write(number, 6, flow_.session);
    return flow_;
  }

 private:
  static void Write(uint64_t number, size_t digits, std::string& name) {
    for (size_t i = 1; i <= digits; ++i, number /= 10) name[name.size() - i] = static_cast<char>('0' + number % 10);
  }

  Flow flow_ = {.tenant = "tenant-00", .session = "session-0123456789abcdef-000000", .weight = 1, .background = false};
};

// As a scheduler with no fairness would do it: whoever has the least key is next.
void PriorityQueue(benchmark::State& state) {
  struct Item {
    double key;
    uint64_t id;
    bool operator<(const Item& other) const { return key > other.key; }
  };
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> cost(0, 1);
  std::priority_queue<Item> queue;
  uint64_t id = 0;
  for (int64_t i = 0; i < state.range(0); ++i) queue.push({cost(random), ++id});
  for (auto _ : state) {
    const Item item = queue.top();
    queue.pop();
    benchmark::DoNotOptimize(item.id);
    queue.push({item.key + cost(random), ++id});
  }
}

void EnqueueAdmitSettle(benchmark::State& state) {
  Flows flows;
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> tokens(1'000, 40'000);
  constexpr int64_t kTokensPerMinute = 1'000'000;
  LimitGroup group({.name = "upstream/model",
                    .limits = {{.dimension = Dimension::kTokens, .count = kTokensPerMinute},
                               {.dimension = Dimension::kRequests, .count = 1'000'000}},
                    .concurrent = {}});
  BootTime now{std::chrono::hours(1)};
  // Its answer tells the limits.
  constexpr LimitGroup::RequestId kFirst = 1;
  group.Enqueue(now, kFirst, 0);
  group.Admit(now);
  group.OnHeaders(now, kFirst, {});
  group.Settle(now, kFirst, Settlement::kCharged);

  // Each flow has one request, so that its number can be part of the request's.
  const auto count = static_cast<uint64_t>(state.range(0));
  uint64_t round = 1;
  const auto enqueue = [&](uint64_t flow) { group.Enqueue(now, ++round * count + flow, tokens(random), flows[flow]); };
  // The bucket is drained first, so that all of the flows wait.
  for (uint64_t flow = 0; flow < count; ++flow) enqueue(flow);
  for (LimitGroup::Decision decision = group.Admit(now); !decision.granted.empty(); decision = group.Admit(now)) {
    for (const LimitGroup::RequestId id : decision.granted) {
      group.Settle(now, id, Settlement::kCharged);
      enqueue(id % count);
    }
  }
  int64_t granted = 0;
  for (auto _ : state) {
    now = std::max(now, group.NextAdmission(now).value_or(now));
    const LimitGroup::Decision decision = group.Admit(now);
    for (const LimitGroup::RequestId id : decision.granted) {
      group.Settle(now, id, Settlement::kCharged, Tokens{20'000, 20'000, 0});
      enqueue(id % count);
    }
    granted += static_cast<int64_t>(decision.granted.size());
    benchmark::DoNotOptimize(decision.granted.data());
  }
  state.counters["granted"] = benchmark::Counter(static_cast<double>(granted), benchmark::Counter::kAvgIterations);
}

BENCHMARK(PriorityQueue)->Arg(10)->Arg(10'000)->Arg(100'000);
BENCHMARK(EnqueueAdmitSettle)->Arg(10)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace holdfast::quota

BENCHMARK_MAIN();
