#pragma once

#include <memory>
#include <set>
#include <vector>

#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {

// The queue of a group played forward from `now` on copies of its gauges: each Next is one more waiter behind those
// before it. Exact for continuous buckets of a sole user; where concurrency binds it assumes that requests take as long
// as they did on average.
class LimitGroup::Simulation {
 public:
  Simulation(const LimitGroup& group, BootTime now);

  WaitEstimate Next(int64_t tokens);
  // Somebody goes who is not in the queue yet, and holds no position in it.
  void Expect(int64_t tokens);

 private:
  struct Copy {
    Dimension dimension;
    std::unique_ptr<Gauge> gauge;
    double level_now;
    double charged_ahead;  // by waiters before the next one
  };

  const LimitGroup& group_;
  BootTime now_;
  BootTime time_;  // when the previous waiter ran
  std::vector<Copy> gauges_;
  std::multiset<BootTime> slots_;  // when requests under way end
  int position_ = 0;
};

}  // namespace holdfast::quota
