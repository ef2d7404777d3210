#pragma once

#include <optional>

#include "common/base/clock.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// The wait that a turn is in, counted down by the client's own clock, and which of its updates are worth a line of
// output. Pure: time is passed in.
class WaitLog {
 public:
  // True when the wait is new, or when its reason, its position, or its end (by more than a second and a tenth of what
  // is left) changed since the last line and that was at least a second ago.
  bool Note(const quota::v1::Wait& wait, BootTime now);
  void Clear();

  bool waiting() const { return wait_.has_value(); }
  // Only while waiting.
  const quota::v1::Wait& wait() const { return *wait_; }
  // Never negative.
  double SecondsLeft(BootTime now) const;

 private:
  std::optional<quota::v1::Wait> wait_;
  BootTime end_;
  quota::v1::Wait told_;
  BootTime told_end_;
  BootTime told_at_;
};

}  // namespace holdfast::cli
