#include "common/wait/wait_left.h"

#include <algorithm>

namespace holdfast {

void SetSecondsLeft(double seconds_left, quota::v1::Wait* wait) {
  const double left = std::clamp(seconds_left, 0.0, std::max(0.0, wait->seconds()));
  const double passed = wait->seconds() - left;
  wait->set_seconds(left);
  wait->set_least_seconds(std::max(0.0, wait->least_seconds() - passed));
  wait->set_most_seconds(std::max(0.0, wait->most_seconds() - passed));
}

}  // namespace holdfast
