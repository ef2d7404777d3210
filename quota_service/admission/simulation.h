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

  WaitEstimate Next(const Need& need);
  // Somebody goes who is not in the queue yet, and holds no position in it.
  void Expect(const Need& need);
  // When the one before goes.
  BootTime time() const { return time_; }

 private:
  struct Copy {
    Dimension dimension;
    std::unique_ptr<Gauge> gauge;
    const Mirror* mirror;
    double level_now;
    double charged_ahead;  // by waiters before the next one
  };
  BootTime WhenFits(const Copy& copy, const Need& need) const;

  const LimitGroup& group_;
  BootTime now_;
  BootTime time_;  // when the previous waiter ran
  std::vector<Copy> gauges_;
  std::multiset<BootTime> slots_;  // when requests under way end
  bool first_ = true;              // nobody has gone yet
  int position_ = 0;
};

}  // namespace holdfast::quota
