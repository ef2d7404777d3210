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

  // Quantiles of real waits to forecasts: four of five lie between the 10th and the 90th percentile. All 1 until there
  // is enough to go by.
  struct Ratios {
    double p10 = 1;
    double p50 = 1;
    double p90 = 1;
  };
  Ratios ratios() const;

 private:
  std::deque<double> ratios_;  // the latest first
};

}  // namespace holdfast::quota
