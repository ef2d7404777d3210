#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"

namespace holdfast::quota {

// How often a session that was answered asks again soon, as agents do at every step and one-shot jobs never: what a
// forecast must expect of those who are not waiting now.
class Returns {
 public:
  // `session`: a hash of its names. Two that share one blur a statistic, no more.
  void Ended(BootTime now, uint64_t session);
  void Came(BootTime now, uint64_t session);

  // From 0 to 1; 0 until anybody came back.
  double rate() const { return rate_; }

 private:
  void Expire(BootTime now);
  void Learn(bool came_back);

  absl::flat_hash_map<uint64_t, BootTime> ended_;
  std::deque<std::pair<BootTime, uint64_t>> order_;
  double rate_ = 0;
};

}  // namespace holdfast::quota
