#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace holdfast::quota {

// When to say that an upstream fails, and that it answers again: from the first failure of a streak on, once, and not
// again within a minute, however often it answers in between. Pure: time is passed in.
class FailureStreak {
 public:
  static constexpr Duration kQuiet = std::chrono::minutes(1);

  // True: it is to be said now.
  bool OnFailed(BootTime now);
  // How many failures there were in the streak that ends here, if it was spoken of; otherwise 0.
  int64_t OnAnswered();

 private:
  int64_t failures_ = 0;  // in a row
  bool said_ = false;     // of this streak
  std::optional<BootTime> last_said_;
};

}  // namespace holdfast::quota
