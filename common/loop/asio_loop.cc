#include "common/loop/asio_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "common/loop/alarm_heap.h"

namespace holdfast {
namespace {

// steady_timer counts on CLOCK_MONOTONIC, which stands still while the machine is suspended; CLOCK_BOOTTIME does not.
// So a long wait is cut into slices, each of which ends with a look at the clock that counts.
constexpr Duration kSlice = std::chrono::seconds(5);

}  // namespace

// All timers of a loop share one wait of the system's, which is dear to set. It is set anew only for what is to ring
// earlier than it does; what was disarmed meanwhile, or armed for later, costs a look in vain.
class AsioLoop::Alarms : public std::enable_shared_from_this<Alarms> {
 public:
  struct Alarm : AlarmHeap::Alarm {
    Task task;
  };

  explicit Alarms(boost::asio::io_context& context) : wait_(context) {}

  void Arm(Alarm* alarm, BootTime when, Task task) {
    // Destroyed last: what it holds may reach for this timer again.
    const Task dropped = std::exchange(alarm->task, std::move(task));
    heap_.Remove(alarm);
    // What is armed in a round has to wait for the next one, lest others of the loop never have their turn; and behind
    // all that is due in this one.
    heap_.Add(alarm, running_ ? std::max(when, round_ + Duration(1)) : when);
    if (!running_ && when < looks_at_) Wait();
  }

  void Disarm(Alarm* alarm) {
    heap_.Remove(alarm);
    // A wait for nothing would keep the loop from ending.
    if (heap_.empty() && !running_ && looks_at_ != BootTime::max()) {
      ++generation_;
      looks_at_ = BootTime::max();
      wait_.cancel();
    }
    // Destroyed last: what the task holds may reach for this timer again.
    const Task dropped = std::exchange(alarm->task, nullptr);
  }

 private:
  void Wait() {
    const BootTime now = BootClock::now();
    const Duration left = std::clamp(heap_.first()->when - now, Duration::zero(), kSlice);
    looks_at_ = now + left;
    wait_.expires_after(left);
    wait_.async_wait([self = shared_from_this(), generation = ++generation_](const boost::system::error_code&) {
      if (self->generation_ == generation) self->Run();
    });
  }

  void Run() {
    running_ = true;
    round_ = BootClock::now();
    while (!heap_.empty() && heap_.first()->when <= round_) {
      auto* const alarm = static_cast<Alarm*>(heap_.first());
      heap_.Remove(alarm);
      // The task may arm or destroy this very timer.
      Task task = std::exchange(alarm->task, nullptr);
      task();
    }
    running_ = false;
    looks_at_ = BootTime::max();
    if (!heap_.empty()) Wait();
  }

  boost::asio::steady_timer wait_;
  AlarmHeap heap_;
  BootTime looks_at_ = BootTime::max();  // max: no wait is pending
  uint64_t generation_ = 0;              // of the wait; the handler of an earlier one does nothing
  bool running_ = false;
  BootTime round_{};  // while it runs: the moment up to which alarms are due
};

class AsioLoop::AsioTimer final : public Loop::Timer {
 public:
  explicit AsioTimer(std::shared_ptr<Alarms> alarms) : alarms_(std::move(alarms)) {}
  ~AsioTimer() override { Disarm(); }

  void ArmAt(BootTime when, Task task) override { alarms_->Arm(&alarm_, when, std::move(task)); }
  void Disarm() override { alarms_->Disarm(&alarm_); }

 private:
  std::shared_ptr<Alarms> alarms_;
  Alarms::Alarm alarm_;
};

AsioLoop::AsioLoop(boost::asio::io_context& context) : context_(context), alarms_(std::make_shared<Alarms>(context)) {}

AsioLoop::~AsioLoop() = default;

void AsioLoop::Post(Task task) { boost::asio::post(context_, std::move(task)); }

std::unique_ptr<Loop::Timer> AsioLoop::NewTimer() { return std::make_unique<AsioTimer>(alarms_); }

}  // namespace holdfast
