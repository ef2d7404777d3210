#include "quota_service/call/wait_record.h"

#include <algorithm>
#include <utility>

namespace holdfast::quota {

void WaitRecord::Begin(BootTime now) {
  total_ = Total(now);
  began_ = now;
  waiting_ = true;
  heard_.reset();
}

void WaitRecord::End(BootTime now) {
  total_ = Total(now);
  waiting_ = false;
}

void WaitRecord::Hear(const WaitEstimate& estimate, BootTime now) {
  heard_ = estimate;
  ends_ = now + estimate.wait;
}

std::optional<WaitEstimate> WaitRecord::Left(BootTime now) const {
  auto left = heard_;
  if (left) left->wait = std::max(Duration::zero(), ends_ - now);
  return left;
}

void WaitRecord::Announce(Duration wait, BootTime now) {
  if (!announced_) announced_ = Total(now) + wait;
}

std::optional<double> WaitRecord::TakeForecastError(BootTime now) {
  const auto announced = std::exchange(announced_, std::nullopt);
  if (!announced) return std::nullopt;
  return ToSeconds(Total(now) - *announced);
}

}  // namespace holdfast::quota
