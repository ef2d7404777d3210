// What reading a request's body costs, on every request of the front door: of a small one, of long texts, of many short
// parts, and of images.

#include <benchmark/benchmark.h>

#include <string>

#include "quota_service/frontdoor/request/request_scan.h"

namespace holdfast::quota {
namespace {

std::string Chat(const std::string& content) {
  return R"({"model":"gpt-4o","stream":true,"messages":[{"role":"system","content":"Be brief."},)"
         R"({"role":"user","content":)" +
         content + "}]}";
}

std::string Small() { return Chat(R"("Say hello in one sentence, and nothing else, please.")"); }

std::string Long() {
  std::string text;
  while (text.size() < size_t{128} * 1024) text += "  if (fooBar(1234, x) != nullptr) return Done;\\n";
  return Chat("\"" + text + "\"");
}

std::string Parts() {
  std::string parts;
  for (int i = 0; i < 1000; ++i) {
    parts += (parts.empty() ? "" : ",") + std::string(R"({"type":"text","text":"one short part of many"})");
  }
  return Chat("[" + parts + "]");
}

// A PNG whose header says 1,024 x 1,024.
std::string Image() {
  return Chat(R"([{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABAAAAAQA)" +
              std::string(size_t{128} * 1024, 'A') + R"("}}])");
}

void Scan(benchmark::State& state, const std::string& body) {
  for (auto _ : state) benchmark::DoNotOptimize(ScanRequest(Api::kChat, body));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}

BENCHMARK_CAPTURE(Scan, small, Small());
BENCHMARK_CAPTURE(Scan, long, Long());
BENCHMARK_CAPTURE(Scan, parts, Parts());
BENCHMARK_CAPTURE(Scan, image, Image());

}  // namespace
}  // namespace holdfast::quota

BENCHMARK_MAIN();
