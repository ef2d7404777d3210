#include "common/base/clock.h"

#include <time.h>

namespace holdfast {

BootTime BootClock::now() {
  timespec ts{};
  clock_gettime(CLOCK_BOOTTIME, &ts);
  return BootTime(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
}

Duration FromSeconds(double seconds) {
  constexpr double kMost = 9.0e9;
  if (!(seconds == seconds)) return Duration::zero();
  if (seconds >= kMost) return std::chrono::seconds(static_cast<int64_t>(kMost));
  if (seconds <= -kMost) return -std::chrono::seconds(static_cast<int64_t>(kMost));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace holdfast
