#include "quota_service/admission/foreign_use.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr size_t kRemembered = 200;
// Readings that show use by others beyond doubt. Fewer may be one event: a limit that was changed, a job that ran once.
constexpr int kProof = 3;
// Where many requests of ours are under way, little is beyond doubt: what others take hides in the order in which ours
// arrive. That order makes as much of it appear as disappear. So use by others that was proven is believed in while any
// reading proves it, or the sum of what is likely is this many times its standard error.
constexpr double kStandardErrors = 1;
// Of the readings, so that the largest of the remembered ones is left out.
constexpr double kQuantile = 0.995;
// Bursts are not spread thin over short times.
constexpr double kLeastSeconds = 1;

// Of at least one value.
double QuantileOf(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

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
  const auto proofs = std::count_if(readings_.begin(), readings_.end(), [](const Reading& reading) {
    return reading.missing.for_sure > 0 || reading.missing.refused;
  });
  if (proofs == 0 && !proven_) return;
  // Levels are read at the gate, after what refilled on the way there: a surplus that most readings have.
  std::vector<double> likely;
  for (const Reading& reading : readings_) likely.push_back(reading.missing.likely);
  const double surplus = std::min(0.0, QuantileOf(likely, 0.5));
  double amount = 0;
  double squares = 0;
  double seconds = 0;
  for (const Reading& reading : readings_) {
    const double taken = reading.missing.likely - surplus;
    amount += taken;
    squares += taken * taken;
    seconds += std::max(reading.seconds, kLeastSeconds);
  }
  const bool goes_on = proofs > 0 || amount > kStandardErrors * std::sqrt(squares);
  proven_ = proofs >= kProof || (proven_ && goes_on);
  if (!proven_) return;
  rate_ = std::max(0.0, amount / seconds);
  std::vector<double> strays;
  strays.reserve(readings_.size());
  for (const Reading& reading : readings_) {
    strays.push_back((reading.missing.met - rate_ * reading.seconds) / Spread(reading.seconds));
  }
  stray_ = std::max(0.0, QuantileOf(strays, kQuantile));
}

double ForeignUse::Margin(Duration unread) const {
  if (!proven_) return 0;
  const double seconds = std::max(0.0, ToSeconds(unread));
  return rate_ * seconds + stray_ * Spread(seconds);
}

}  // namespace holdfast::quota
