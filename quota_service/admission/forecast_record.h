#pragma once

#include <deque>

#include "common/base/clock.h"

namespace holdfast::quota {

// How forecasts of a limit group turned out: what others spend, and who comes in between, makes waits longer or shorter
// than the queue played forward says, by a factor that changes slowly.
class ForecastRecord {
 public:
  // A wait was forecast as `forecast`, at first, and lasted `real`. Short ones say nothing.
  void Observe(Duration forecast, Duration real);

  // Of real waits to forecasts; 1 until there is enough to go by. `q` from 0 to 1.
  double Ratio(double q) const;

 private:
  std::deque<double> ratios_;  // the latest first
};

}  // namespace holdfast::quota
