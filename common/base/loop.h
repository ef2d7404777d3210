#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "common/base/clock.h"

namespace holdfast {

// The one thread that owns a service's state, as logic sees it. AsioLoop is the real one; tests use SimulatedLoop.
// Everything but Post is called on the loop's own thread.
class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  // A single-shot timer. Destroying it disarms it: the task does not run afterwards.
  class Timer {
   public:
    virtual ~Timer() = default;
    // Replaces what was armed. A moment in the past runs soon, never inside Arm.
    virtual void ArmAt(BootTime when, Task task) = 0;
    virtual void Disarm() = 0;
  };

  virtual ~Loop() = default;

  virtual BootTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
  // Runs `task` on the loop, later, in order. Any thread.
  virtual void Post(Task task) = 0;
  virtual std::unique_ptr<Timer> NewTimer() = 0;
};

}  // namespace holdfast
