#include "quota_service/admission/forecast_record.h"

#include <algorithm>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr Duration kShort = std::chrono::seconds(5);
constexpr size_t kRemembered = 1000;
constexpr size_t kEnough = 20;
// Beyond this it was another world: a limit was replaced.
constexpr double kMostRatio = 10;
// The share of waits that the interval is to hold, and how fast it is moved towards that.
constexpr double kInside = 0.8;
constexpr double kGain = 0.005;
constexpr double kLeastTail = 0.01;
constexpr double kMostTail = 0.25;

}  // namespace

void ForecastRecord::Observe(Duration forecast, const Ratios& told, Duration real) {
  if (forecast < kShort) return;
  const double ratio = ToSeconds(real) / ToSeconds(forecast);
  if (told.low < told.high) {
    const bool inside = told.low <= ratio && ratio <= told.high;
    tail_ = std::clamp(tail_ + kGain * (inside ? 1 - kInside : -kInside), kLeastTail, kMostTail);
  }
  ratios_.push_front(std::clamp(ratio, 1 / kMostRatio, kMostRatio));
  if (ratios_.size() > kRemembered) ratios_.pop_back();
}

ForecastRecord::Ratios ForecastRecord::ratios() const {
  if (ratios_.size() < kEnough) return {};
  std::vector<double> sorted(ratios_.begin(), ratios_.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double q) { return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))]; };
  return {at(tail_), at(0.5), at(1 - tail_)};
}

}  // namespace holdfast::quota
