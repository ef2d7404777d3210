#include "quota_service/retry/retry_budget.h"

#include <algorithm>

namespace holdfast::quota {

RetryBudget::RetryBudget(Options options) : options_(options) {
  options_.share = std::max(options_.share, 0.0);
  options_.floor_per_second = std::max(options_.floor_per_second, 1 / ToSeconds(kWindow));
}

int64_t RetryBudget::SlotNumber(BootTime now) const {
  return std::max<int64_t>(now.time_since_epoch() / kSlotLength, newest_);
}

RetryBudget::Slot& RetryBudget::SlotAt(BootTime now) {
  newest_ = SlotNumber(now);
  Slot& slot = slots_[static_cast<size_t>(newest_ % kSlots)];
  if (slot.number != newest_) slot = Slot{.number = newest_};
  return slot;
}

double RetryBudget::Balance(int64_t newest) const {
  int64_t requests = 0;
  int64_t retries = 0;
  for (const Slot& slot : slots_) {
    if (slot.number < 0 || slot.number <= newest - kSlots) continue;
    requests += slot.requests;
    retries += slot.retries;
  }
  return options_.floor_per_second * ToSeconds(kWindow) + options_.share * static_cast<double>(requests) -
         static_cast<double>(retries);
}

void RetryBudget::Deposit(BootTime now) { ++SlotAt(now).requests; }

bool RetryBudget::TryWithdraw(BootTime now) {
  Slot& slot = SlotAt(now);
  if (Balance(newest_) < 1) return false;
  ++slot.retries;
  return true;
}

Duration RetryBudget::UntilAvailable(BootTime now) const {
  const int64_t current = SlotNumber(now);
  if (Balance(current) >= 1) return Duration::zero();
  // The balance changes only where a slot leaves the window; when all have left, the floor remains, which is at least
  // one.
  int64_t number = current + 1;
  while (number < current + kSlots && Balance(number) < 1) ++number;
  return BootTime(number * kSlotLength) - std::max(now, BootTime(current * kSlotLength));
}

}  // namespace holdfast::quota
