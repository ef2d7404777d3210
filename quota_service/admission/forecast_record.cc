#include "quota_service/admission/forecast_record.h"

#include <algorithm>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr Duration kShort = std::chrono::seconds(5);
constexpr size_t kRemembered = 1000;
constexpr size_t kEnough = 20;

}  // namespace

void ForecastRecord::Observe(Duration forecast, Duration real) {
  if (forecast < kShort) return;
  ratios_.push_front(ToSeconds(real) / ToSeconds(forecast));
  if (ratios_.size() > kRemembered) ratios_.pop_back();
}

double ForecastRecord::Ratio(double q) const {
  if (ratios_.size() < kEnough) return 1;
  std::vector<double> sorted(ratios_.begin(), ratios_.end());
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

}  // namespace holdfast::quota
