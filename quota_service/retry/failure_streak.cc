#include "quota_service/retry/failure_streak.h"

#include <utility>

namespace holdfast::quota {

bool FailureStreak::OnFailed(BootTime now) {
  ++failures_;
  if (said_ || (last_said_ && now - *last_said_ < kQuiet)) return false;
  said_ = true;
  last_said_ = now;
  return true;
}

int64_t FailureStreak::OnAnswered() {
  const int64_t failures = std::exchange(failures_, 0);
  return std::exchange(said_, false) ? failures : 0;
}

}  // namespace holdfast::quota
