// sessions_bench [store] [arrival] [opening] [scale]: all of them unless some are named. Works in a temporary folder of
// TMPDIR, so that TMPDIR says which disk is measured. Exit code 1: a bound was missed.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

#include "bench/sessions/bench.h"

int main(int argc, char** argv) {
  using holdfast::bench::MeasureArrival;
  using holdfast::bench::MeasureOpening;
  using holdfast::bench::MeasureScale;
  using holdfast::bench::MeasureStoreRate;
  namespace fs = std::filesystem;
  spdlog::set_level(spdlog::level::warn);
  const std::vector<std::string> asked(argv + 1, argv + argc);
  const std::vector<std::pair<std::string, std::function<bool(const fs::path&)>>> all = {
      {"store", MeasureStoreRate}, {"arrival", MeasureArrival}, {"opening", MeasureOpening}, {"scale", MeasureScale}};
  bool good = true;
  for (const auto& [name, measure] : all) {
    if (!asked.empty() && std::find(asked.begin(), asked.end(), name) == asked.end()) continue;
    std::string pattern = (fs::temp_directory_path() / "holdfast-bench-XXXXXX").string();
    const fs::path folder = mkdtemp(pattern.data());
    good = measure(folder) && good;
    fs::remove_all(folder);
  }
  return good ? 0 : 1;
}
