#include "quota_service/admission/foreign_use.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr size_t kRemembered = 200;
// Readings that show use by others. Fewer may be one event: a limit that was changed, a job that ran once.
constexpr size_t kProof = 3;
// Of the readings, so that the largest of the remembered ones is left out.
constexpr double kQuantile = 0.995;
// Bursts are not spread thin over short times.
constexpr double kLeastSeconds = 1;

double Spread(double seconds) { return std::sqrt(std::max(seconds, kLeastSeconds)); }

}  // namespace

ForeignUse::Serial ForeignUse::Observe(Duration unread, const Missing& missing) {
  readings_.push_back({next_, ToSeconds(unread), missing});
  if (readings_.size() > kRemembered) readings_.pop_front();
  Learn();
  return next_++;
}

void ForeignUse::Amend(Serial serial, const Missing& missing) {
  if (readings_.empty() || serial < readings_.front().serial) return;
  readings_[serial - readings_.front().serial].missing = missing;
  Learn();
}

void ForeignUse::Learn() {
  seen_ = static_cast<size_t>(std::count_if(readings_.begin(), readings_.end(),
                                            [](const Reading& reading) { return reading.missing.for_sure > 0; }));
  sure_rate_ = 0;
  if (seen_ < kProof) return;
  double amount = 0;
  double sure = 0;
  double seconds = 0;
  for (const Reading& reading : readings_) {
    amount += reading.missing.likely;
    sure += reading.missing.for_sure;
    seconds += std::max(reading.seconds, kLeastSeconds);
  }
  rate_ = std::max(0.0, amount / seconds);
  sure_rate_ = sure / seconds;
  std::vector<double> strays;
  strays.reserve(readings_.size());
  for (const Reading& reading : readings_) {
    strays.push_back((reading.missing.likely - rate_ * reading.seconds) / Spread(reading.seconds));
  }
  const auto at =
      strays.begin() + static_cast<std::ptrdiff_t>(kQuantile * static_cast<double>(strays.size() - 1) + 0.5);
  std::nth_element(strays.begin(), at, strays.end());
  stray_ = std::max(0.0, *at);
}

double ForeignUse::Margin(Duration unread) const {
  if (seen_ < kProof) return 0;
  const double seconds = std::max(0.0, ToSeconds(unread));
  return rate_ * seconds + stray_ * Spread(seconds);
}

}  // namespace holdfast::quota
