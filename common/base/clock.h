#pragma once

#include <chrono>

namespace holdfast {

// Time since boot, suspend included (CLOCK_BOOTTIME). Buckets, deadlines and waits run on it.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now();
};

using BootTime = BootClock::time_point;
// Wall clock; for logs, `retry_at`, and absolute resets that a server names. Never for waiting.
using WallTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

inline double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }
// Saturates at about 290 years; NaN becomes zero.
Duration FromSeconds(double seconds);

}  // namespace holdfast
