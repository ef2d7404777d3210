#include "common/loop/asio_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <utility>

namespace holdfast {
namespace {

// steady_timer counts on CLOCK_MONOTONIC, which stands still while the machine is suspended; CLOCK_BOOTTIME does not.
// So a long wait is cut into slices, each of which ends with a look at the clock that counts.
constexpr Duration kSlice = std::chrono::seconds(5);

// Outlives its timer while a wait is pending, so that the wait's handler always finds it.
struct Alarm {
  explicit Alarm(boost::asio::io_context& context) : wait(context) {}

  boost::asio::steady_timer wait;
  BootTime when{};
  Loop::Task task;
  uint64_t generation = 0;  // of the arming; a handler of an earlier one does nothing
};

void WaitForSlice(const std::shared_ptr<Alarm>& alarm) {
  const Duration left = std::max(alarm->when - BootClock::now(), Duration::zero());
  alarm->wait.expires_after(std::min(left, kSlice));
  alarm->wait.async_wait([alarm, generation = alarm->generation](const boost::system::error_code&) {
    if (alarm->generation != generation) return;
    if (BootClock::now() < alarm->when) {
      WaitForSlice(alarm);
      return;
    }
    ++alarm->generation;
    // The task may arm or destroy this very timer.
    Loop::Task task = std::exchange(alarm->task, nullptr);
    task();
  });
}

class AsioTimer final : public Loop::Timer {
 public:
  explicit AsioTimer(boost::asio::io_context& context) : alarm_(std::make_shared<Alarm>(context)) {}
  ~AsioTimer() override { Disarm(); }

  void ArmAt(BootTime when, Loop::Task task) override {
    Disarm();
    alarm_->when = when;
    alarm_->task = std::move(task);
    WaitForSlice(alarm_);
  }

  void Disarm() override {
    ++alarm_->generation;
    alarm_->wait.cancel();
    // Destroyed last: what the task holds may reach for this timer again.
    const Loop::Task dropped = std::exchange(alarm_->task, nullptr);
  }

 private:
  std::shared_ptr<Alarm> alarm_;
};

}  // namespace

void AsioLoop::Post(Task task) { boost::asio::post(context_, std::move(task)); }

std::unique_ptr<Loop::Timer> AsioLoop::NewTimer() { return std::make_unique<AsioTimer>(context_); }

}  // namespace holdfast
