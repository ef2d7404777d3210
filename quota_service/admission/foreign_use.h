#pragma once

#include <cstddef>
#include <deque>

namespace holdfast::quota {

// What others spend of the same key between one answer of the provider and the next, and how much room to leave for it.
class ForeignUse {
 public:
  // An answer told a level `shortfall` below the mirror's (0: it was not below), of which the network's delay explains
  // at most `explained`.
  void Observe(double shortfall, double explained);

  // 0 until others were seen several times, and again when they have not been for a while: once is a start with a level
  // that was not known, or a limit that has changed.
  double margin() const { return margin_; }

 private:
  struct Observation {
    double shortfall;
    bool certain;
  };
  std::deque<Observation> observations_;  // the latest first
  size_t certain_ = 0;                    // of them
  double margin_ = 0;
};

}  // namespace holdfast::quota
