#pragma once

#include <optional>
#include <utility>

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
  // It is over.
  void Clear();
  // It may be over: none is shown until one is noted, and no line is due for the same one again.
  void Doubt() { doubted_ = std::exchange(wait_, std::nullopt).has_value() || doubted_; }

  bool waiting() const { return wait_.has_value(); }
  // Only while waiting.
  const quota::v1::Wait& wait() const { return *wait_; }
  // Never negative.
  double SecondsLeft(BootTime now) const;

 private:
  std::optional<quota::v1::Wait> wait_;
  bool doubted_ = false;
  BootTime end_;
  quota::v1::Wait told_;
  BootTime told_end_;
  BootTime told_at_;
};

}  // namespace holdfast::cli
