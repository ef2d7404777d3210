#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/clock.h"
#include "quota_service/admission/fair_queue.h"

namespace holdfast::quota {

// How often a session that was answered asks again soon, as agents do at every step and one-shot jobs never: what a
// forecast must expect of those who are not waiting now.
class Returns {
 public:
  void Ended(BootTime now, const Flow& flow);
  void Came(BootTime now, const Flow& flow);

  // From 0 to 1; 0 until anybody came back.
  double rate() const { return rate_; }

 private:
  void Expire(BootTime now);
  void Learn(bool came_back);

  std::unordered_map<std::string, BootTime> ended_;  // by tenant and session
  std::deque<std::pair<BootTime, std::string>> order_;
  double rate_ = 0;
};

}  // namespace holdfast::quota
