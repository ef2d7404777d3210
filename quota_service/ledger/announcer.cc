#include "quota_service/ledger/announcer.h"

#include <chrono>

namespace holdfast::quota {
namespace {

constexpr Duration kLeastInterval = std::chrono::seconds(1);
// Moves below this are noise, whatever part of a short wait they are.
constexpr Duration kLeastMove = std::chrono::milliseconds(200);

}  // namespace

bool Announcer::ShouldTell(BootTime now, const WaitEstimate& estimate) {
  const BootTime end = now + estimate.wait;
  if (told_) {
    if (now - told_->at < kLeastInterval) return false;
    const Duration move = std::chrono::abs(end - told_->end);
    const bool moved = move > kLeastMove && move * 10 > estimate.wait;
    if (!moved && estimate.position == told_->position && estimate.reason == told_->reason) return false;
  }
  told_ = Told{now, end, estimate.position, estimate.reason};
  return true;
}

}  // namespace holdfast::quota
