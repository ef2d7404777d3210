#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "common/base/loop.h"

namespace holdfast {

// The real loop. Whoever calls `io_context::run` makes that thread the loop's own; it must be one thread only.
// `context` outlives the loop, its timers and its tasks; tasks that never ran are destroyed with the context.
class AsioLoop final : public Loop {
 public:
  explicit AsioLoop(boost::asio::io_context& context);
  ~AsioLoop() override;

  BootTime Now() const override { return BootClock::now(); }
  WallTime WallNow() const override { return WallTime::clock::now(); }
  void Post(Task task) override;
  // Its task never runs before the armed moment on CLOCK_BOOTTIME. After a suspend of the machine, a moment that went
  // by meanwhile is noticed within 5 s.
  std::unique_ptr<Timer> NewTimer() override;

 private:
  class Alarms;
  class AsioTimer;

  boost::asio::io_context& context_;
  std::shared_ptr<Alarms> alarms_;  // shared with its timers, which may outlive the loop
};

}  // namespace holdfast
