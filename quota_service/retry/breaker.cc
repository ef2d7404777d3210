#include "quota_service/retry/breaker.h"

#include <algorithm>

namespace holdfast::quota {

Breaker::State Breaker::state() const {
  if (!open_) return State::kClosed;
  return probe_ ? State::kHalfOpen : State::kOpen;
}

bool Breaker::TryPass(BootTime now, CallId call) {
  if (!open_ || IsProbe(call)) return true;
  if (now < next_probe_) return false;
  Pass(now, call);
  return true;
}

bool Breaker::TryPassAtLast(BootTime now, CallId call) {
  if (TryPass(now, call)) return true;
  if (probe_ || now < last_failure_ + options_.first) return false;
  Pass(now, call);
  return true;
}

void Breaker::Pass(BootTime now, CallId call) {
  passed_.insert(call);
  probe_ = call;
  next_probe_ = now + pause_;
}

void Breaker::OnHeaders(CallId call) {
  if (open_ && IsProbe(call)) Close();
}

void Breaker::OnAnswered(BootTime now, CallId call) {
  Count(now, false);
  failing_.clear();
  // What was sent before it opened says nothing of now.
  if (open_ && !IsProbe(call)) return;
  if (open_) Close();
  pause_ = options_.first;
}

void Breaker::OnFailed(BootTime now, CallId call) {
  last_failure_ = std::max(last_failure_, now);
  Count(now, true);
  if (!open_) {
    if (failing_.size() < options_.calls) failing_.insert(call);
    if (failing_.size() >= options_.calls || ShareIsTooLarge()) Open(now);
    return;
  }
  passed_.erase(call);
  if (probe_ != call) return;
  probe_.reset();
  next_probe_ = now + pause_;
  pause_ = std::min(pause_ * 2, options_.most);
}

void Breaker::OnGone(CallId call) {
  passed_.erase(call);
  if (!open_ || probe_ != call) return;
  // Its turn is another's.
  probe_.reset();
  next_probe_ = last_failure_;
}

void Breaker::Open(BootTime now) {
  open_ = true;
  passed_.clear();
  probe_.reset();
  next_probe_ = now + pause_;
  pause_ = std::min(pause_ * 2, options_.most);
}

void Breaker::Close() {
  open_ = false;
  passed_.clear();
  probe_.reset();
  failing_.clear();
  slots_ = {};
}

void Breaker::Count(BootTime now, bool failed) {
  newest_ = std::max<int64_t>(now.time_since_epoch() / (options_.window / kSlots), newest_);
  Slot& slot = slots_[static_cast<size_t>(newest_ % kSlots)];
  if (slot.number != newest_) slot = Slot{.number = newest_};
  ++slot.ended;
  if (failed) ++slot.failed;
}

bool Breaker::ShareIsTooLarge() const {
  int64_t ended = 0;
  int64_t failed = 0;
  for (const Slot& slot : slots_) {
    if (slot.number < 0 || slot.number <= newest_ - kSlots) continue;
    ended += slot.ended;
    failed += slot.failed;
  }
  return ended >= options_.least && static_cast<double>(failed) >= options_.share * static_cast<double>(ended);
}

}  // namespace holdfast::quota
