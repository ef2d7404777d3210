#include "clients/cli/commands/outage.h"

#include <algorithm>

namespace holdfast::cli {

Outage::Step Outage::OnFailure(BootTime now) {
  if (!since_) since_ = now;
  ++failures_;
  const Duration lasted = now - *since_;
  if (lasted >= bound_) return Step::kGiveUp;
  if (lasted >= kQuiet && !announced_) {
    announced_ = true;
    return Step::kAnnounceAndRetry;
  }
  return Step::kRetry;
}

bool Outage::OnSuccess() {
  const bool announced = announced_;
  since_.reset();
  failures_ = 0;
  announced_ = false;
  return announced;
}

Duration Outage::Left(BootTime now) const {
  if (!since_) return bound_;
  return std::max(Duration::zero(), bound_ - (now - *since_));
}

Duration Outage::Pause() const { return std::chrono::milliseconds(50) * (1 << std::clamp(failures_ - 1, 0, 3)); }

}  // namespace holdfast::cli
