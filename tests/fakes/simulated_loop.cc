#include "tests/fakes/simulated_loop.h"

#include <cstdio>
#include <cstdlib>

namespace holdfast {

class SimulatedLoop::SimulatedTimer final : public Loop::Timer {
 public:
  explicit SimulatedTimer(SimulatedLoop* loop) : loop_(loop) {}
  ~SimulatedTimer() override { Disarm(); }

  void ArmAt(BootTime when, Task task) override {
    Disarm();
    key_ = {when, ++loop_->armings_};
    task_ = std::move(task);
    loop_->armed_.emplace(key_, this);
  }

  void Disarm() override {
    loop_->armed_.erase(key_);
    key_ = {};
    const Task dropped = std::exchange(task_, nullptr);
  }

  // Disarms and hands out the task, which may arm or destroy this timer.
  Task Take() {
    loop_->armed_.erase(key_);
    key_ = {};
    return std::exchange(task_, nullptr);
  }

 private:
  SimulatedLoop* const loop_;
  Key key_{};  // armings count from 1, so the empty key is nobody's
  Task task_;
};

// Any start does; this one is no round number, so that a test which forgets to take differences fails.
SimulatedLoop::SimulatedLoop()
    : now_(std::chrono::seconds(12'345)), wall_now_(std::chrono::sys_days(std::chrono::year(2026) / 3 / 14)) {}

SimulatedLoop::~SimulatedLoop() {
  if (!armed_.empty()) {
    std::fputs("SimulatedLoop destroyed before its timers\n", stderr);
    std::abort();
  }
}

void SimulatedLoop::Post(Task task) {
  const std::lock_guard lock(posted_mutex_);
  posted_.push_back(std::move(task));
}

std::unique_ptr<Loop::Timer> SimulatedLoop::NewTimer() { return std::make_unique<SimulatedTimer>(this); }

void SimulatedLoop::RunUntilIdle() {
  while (true) {
    Task task;
    {
      const std::lock_guard lock(posted_mutex_);
      if (posted_.empty()) return;
      task = std::move(posted_.front());
      posted_.pop_front();
    }
    task();
  }
}

void SimulatedLoop::StepTo(BootTime moment) {
  if (moment <= now_) return;
  wall_now_ += std::chrono::duration_cast<WallTime::duration>(moment - now_);
  now_ = moment;
}

void SimulatedLoop::RunDue(BootTime until) {
  RunUntilIdle();
  while (!armed_.empty() && armed_.begin()->first.first <= until) {
    StepTo(armed_.begin()->first.first);
    Task task = armed_.begin()->second->Take();
    task();
    RunUntilIdle();
  }
}

void SimulatedLoop::Advance(Duration step) {
  const BootTime until = now_ + step;
  RunDue(until);
  StepTo(until);
}

bool SimulatedLoop::AdvanceToNextTimer() {
  RunUntilIdle();
  if (armed_.empty()) return false;
  StepTo(armed_.begin()->first.first);
  RunDue(now_);
  return true;
}

}  // namespace holdfast
