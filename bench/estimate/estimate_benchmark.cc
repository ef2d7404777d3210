// What an estimate costs: of a request's text on every call, and of what is learnt from it.

#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "quota_service/estimate/estimator.h"

namespace holdfast::quota {
namespace {

std::string Code(int64_t bytes) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < bytes) text += "  if (fooBar(1234, \"x\") != nullptr) return Done;\n";
  text.resize(static_cast<size_t>(bytes));
  return text;
}

std::string Han(int64_t bytes) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < bytes) text += "文件权限并不是文件类型。";
  return text;
}

void Profile(benchmark::State& state, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(ProfileText(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void ProfileCode(benchmark::State& state) { Profile(state, Code(state.range(0))); }
BENCHMARK(ProfileCode)->Arg(1 << 10)->Arg(1 << 14)->Arg(1 << 20);

void ProfileHan(benchmark::State& state) { Profile(state, Han(state.range(0))); }
BENCHMARK(ProfileHan)->Arg(1 << 20);

RequestShape AnyShape(std::mt19937& random) {
  RequestShape shape;
  shape.text = 10'000;
  for (float& share : shape.shares) share = std::uniform_real_distribution<float>(0, 0.2F)(random);
  return shape;
}

// Of a session without a history, with as many requests remembered as there can be.
void EstimateNewSession(benchmark::State& state) {
  std::mt19937 random(1);
  Estimator estimator;
  for (int i = 0; i < 2000; ++i) estimator.Learn(AnyShape(random), {"m", "", false}, 10'000, 500);
  const RequestShape shape = AnyShape(random);
  for (auto _ : state) benchmark::DoNotOptimize(estimator.For(shape, {"m", "new", false}));
}
BENCHMARK(EstimateNewSession);

void EstimateAndLearnInASession(benchmark::State& state) {
  std::mt19937 random(1);
  Estimator estimator;
  const RequestShape shape = AnyShape(random);
  const EstimateKey key{"m", "session", false};
  for (int i = 0; i < 300; ++i) estimator.Learn(shape, key, 10'000, 500);
  for (auto _ : state) {
    benchmark::DoNotOptimize(estimator.For(shape, key));
    estimator.Learn(shape, key, 10'000, 500);
  }
}
BENCHMARK(EstimateAndLearnInASession);

}  // namespace
}  // namespace holdfast::quota

BENCHMARK_MAIN();
