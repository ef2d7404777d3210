#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

namespace holdfast::quota {

// How many samples a quantile of `p` needs before it can be told from them: 9 for 0.9, 19 for 0.95.
inline size_t SamplesFor(double p) { return static_cast<size_t>(std::ceil(p / (1 - p) - 1e-9)); }

// The place of the p-quantile among n sorted samples, from 0. The next sample is at most that one with a probability of
// at least p, and below p + 1 / (n + 1), if it is drawn as they were: the rank of split conformal prediction (Lei,
// G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-Free Predictive Inference for Regression", 2018).
// `n` is at least 1.
inline size_t RankOf(double p, size_t n) {
  const auto rank = static_cast<size_t>(std::ceil(p * static_cast<double>(n + 1) - 1e-9));
  return std::clamp<size_t>(rank, 1, n) - 1;
}

// The last samples of something, and their quantiles. What is older is forgotten: behaviour changes, and one wrong
// value has no weight in a quantile and is gone after a while. (P², which needs five numbers instead, forgets nothing.)
template <typename T>
class RecentSamples {
 public:
  explicit RecentSamples(size_t most) : most_(most) {}

  void Add(T sample) {
    if (samples_.size() < most_) {
      samples_.push_back(sample);
    } else {
      samples_[next_] = sample;
      next_ = (next_ + 1) % most_;
    }
  }

  size_t size() const { return samples_.size(); }
  // In no order.
  const std::vector<T>& samples() const { return samples_; }

  // Absent: too few samples to tell.
  std::optional<T> Quantile(double p) const {
    if (samples_.size() < SamplesFor(p)) return std::nullopt;
    std::vector<T> copy = samples_;
    const auto place = copy.begin() + static_cast<std::ptrdiff_t>(RankOf(p, copy.size()));
    std::nth_element(copy.begin(), place, copy.end());
    return *place;
  }

 private:
  size_t most_;
  size_t next_ = 0;
  std::vector<T> samples_;
};

}  // namespace holdfast::quota
