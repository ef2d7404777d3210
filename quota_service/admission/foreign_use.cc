#include "quota_service/admission/foreign_use.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr size_t kRemembered = 200;
constexpr size_t kCertainEnough = 3;
// The largest of all says more about one event than about the others.
constexpr size_t kOutliers = 1;
// Over what was seen, for what was not seen yet.
constexpr double kReserve = 1.25;
// Rounding by the provider is no sign of anybody.
constexpr double kLeast = 1;

}  // namespace

void ForeignUse::Observe(double shortfall, double explained) {
  const bool certain = shortfall > explained + kLeast;
  observations_.push_front({std::max(0.0, shortfall), certain});
  certain_ += certain ? 1 : 0;
  if (observations_.size() > kRemembered) {
    certain_ -= observations_.back().certain ? 1 : 0;
    observations_.pop_back();
  }
  margin_ = 0;
  if (certain_ < kCertainEnough) return;
  std::vector<double> all;
  all.reserve(observations_.size());
  for (const Observation& observation : observations_) all.push_back(observation.shortfall);
  std::nth_element(all.begin(), all.begin() + kOutliers, all.end(), std::greater<>());
  margin_ = kReserve * all[kOutliers];
}

}  // namespace holdfast::quota
