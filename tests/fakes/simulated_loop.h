#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "common/base/loop.h"

namespace holdfast {

// A loop whose time stands still until the test moves it. Nothing runs except inside the calls below, on the test's
// thread. Tasks run in the order of posting; timers by their moment, then by the order of arming. Outlives its timers.
class SimulatedLoop final : public Loop {
 public:
  SimulatedLoop();
  ~SimulatedLoop() override;

  BootTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_now_; }
  // Any thread, as the interface says; what another thread posts runs at the next of the calls below.
  void Post(Task task) override;
  std::unique_ptr<Timer> NewTimer() override;

  // Runs posted tasks, and those that they post, until none is left. No timer, no time.
  void RunUntilIdle();

  // Runs all that is due within `step`, time stepping to each moment; afterwards exactly `step` has passed. Zero runs
  // what is due now.
  void Advance(Duration step);

  // Steps to the earliest armed timer and runs everything due then. False: no timer is armed (posted tasks have run).
  bool AdvanceToNextTimer();

  size_t armed_timers() const { return armed_.size(); }

  // The machine is suspended: time passes and nothing runs. What is overdue runs at the next of the calls above.
  void Suspend(Duration how_long) { StepTo(now_ + how_long); }

  // Moves the wall clock alone, as an administrator or NTP does.
  void JumpWall(Duration by) { wall_now_ += std::chrono::duration_cast<WallTime::duration>(by); }

 private:
  class SimulatedTimer;
  using Key = std::pair<BootTime, uint64_t>;

  // Runs the timers due until `until`, in order, and what they post.
  void RunDue(BootTime until);
  void StepTo(BootTime moment);

  BootTime now_;
  WallTime wall_now_;
  uint64_t armings_ = 0;
  std::map<Key, SimulatedTimer*> armed_;
  std::mutex posted_mutex_;
  std::deque<Task> posted_;
};

}  // namespace holdfast
