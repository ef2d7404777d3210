#include "tests/e2e/process_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

namespace holdfast::test {
namespace {

constexpr double kMostShare = 0.05;
constexpr double kMostKib = 8 * 1024;
// Less is what an allocator's free lists come to in a short run.
constexpr double kNoiseKib = 4 * 1024;

// The number after `key` at the beginning of a line; the unit is the file's.
int64_t Field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size()));
  }
  return 0;
}

std::string Growth(const std::string& what, std::span<const ProcessSample> samples, int64_t ProcessSample::*field) {
  double mean_x = 0, mean_y = 0;
  for (const ProcessSample& sample : samples) {
    mean_x += static_cast<double>(sample.calls) / static_cast<double>(samples.size());
    mean_y += static_cast<double>(sample.*field) / static_cast<double>(samples.size());
  }
  double sum_xy = 0, sum_xx = 0;
  for (const ProcessSample& sample : samples) {
    const double dx = static_cast<double>(sample.calls) - mean_x;
    sum_xy += dx * (static_cast<double>(sample.*field) - mean_y);
    sum_xx += dx * dx;
  }
  const auto calls = static_cast<double>(samples.back().calls - samples.front().calls);
  const double growth = sum_xx == 0 ? 0 : sum_xy / sum_xx * calls;
  if (growth < kNoiseKib || (growth < kMostKib && growth < kMostShare * mean_y)) return {};
  return fmt::format("{} grew by {:.0f} KiB ({:.1f} %) over {:.0f} calls; ", what, growth, 100 * growth / mean_y,
                     calls);
}

// The most of the last quarter against the most of the one after the warm-up.
std::string More(const std::string& what, std::span<const ProcessSample> samples, int64_t ProcessSample::*field,
                 int64_t slack) {
  const size_t third = std::max<size_t>(1, samples.size() / 3);
  const auto most = [field](std::span<const ProcessSample> part) {
    int64_t found = 0;
    for (const ProcessSample& sample : part) found = std::max(found, sample.*field);
    return found;
  };
  const int64_t before = most(samples.first(third));
  const int64_t after = most(samples.last(third));
  return after <= before + slack ? "" : fmt::format("{} rose from {} to {}; ", what, before, after);
}

}  // namespace

ProcessSample SampleOf(pid_t pid, int64_t calls) {
  const std::string folder = fmt::format("/proc/{}/", pid);
  ProcessSample sample;
  sample.calls = calls;
  sample.rss_kib = Field(folder + "status", "VmRSS:");
  sample.threads = Field(folder + "status", "Threads:");
  sample.heap_kib = Field(folder + "smaps_rollup", "Private_Dirty:");
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder + "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++sample.descriptors;
  }
  return sample;
}

std::string WhatGrew(const std::vector<ProcessSample>& samples, int64_t slack) {
  const auto warm = std::span(samples).subspan(samples.size() / 4);
  if (warm.size() < 3) return "there are too few samples";
  return Growth("VmRSS", warm, &ProcessSample::rss_kib) + Growth("the heap", warm, &ProcessSample::heap_kib) +
         More("descriptors", warm, &ProcessSample::descriptors, slack) +
         More("threads", warm, &ProcessSample::threads, slack);
}

std::string TableOf(const std::vector<ProcessSample>& samples) {
  std::string table =
      fmt::format("{:>8} {:>10} {:>10} {:>12} {:>8}\n", "calls", "rss_kib", "heap_kib", "descriptors", "threads");
  for (const ProcessSample& one : samples) {
    table += fmt::format("{:>8} {:>10} {:>10} {:>12} {:>8}\n", one.calls, one.rss_kib, one.heap_kib, one.descriptors,
                         one.threads);
  }
  return table;
}

}  // namespace holdfast::test
