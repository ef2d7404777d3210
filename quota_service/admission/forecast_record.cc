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

}  // namespace

void ForecastRecord::Observe(Duration forecast, Duration real) {
  if (forecast < kShort) return;
  ratios_.push_front(std::clamp(ToSeconds(real) / ToSeconds(forecast), 1 / kMostRatio, kMostRatio));
  if (ratios_.size() > kRemembered) ratios_.pop_back();
}

ForecastRecord::Ratios ForecastRecord::ratios() const {
  if (ratios_.size() < kEnough) return {};
  std::vector<double> sorted(ratios_.begin(), ratios_.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double q) { return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))]; };
  return {at(0.1), at(0.5), at(0.9)};
}

}  // namespace holdfast::quota
