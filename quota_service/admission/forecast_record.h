#pragma once

#include <deque>

#include "common/base/clock.h"

namespace holdfast::quota {

// How forecasts of a limit group turned out: what others spend, and who comes in between, makes waits longer or shorter
// than the queue played forward says, by a factor that changes slowly.
class ForecastRecord {
 public:
  // Quantiles of real waits to forecasts: four of five lie between `low` and `high`. All 1 until there is enough to go
  // by.
  struct Ratios {
    double low = 1;
    double median = 1;
    double high = 1;
  };
  Ratios ratios() const;

  // A wait was forecast as `forecast`, at first, with an interval by `told`, and lasted `real`. Short ones say nothing.
  void Observe(Duration forecast, const Ratios& told, Duration real);

 private:
  std::deque<double> ratios_;  // the latest first
  // Which quantiles bound the interval, of each side. Moved after each wait that fell inside or outside, so that four
  // of five fall inside also where waits are not alike (Gibbs, Candès: "Adaptive Conformal Inference Under Distribution
  // Shift", 2021).
  double tail_ = 0.1;
};

}  // namespace holdfast::quota
