#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace holdfast::cli {

// SIGINT and SIGTERM as something to ask about and to wait for. The second one before Reset ends the process at once,
// with 130. The methods may be called from any thread; Install once per process.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // From now on signals come here, and SIGPIPE and SIGXFSZ are ignored: a write says itself that it failed. This object
  // then lives as long as the process.
  void Install();

  bool pending() const { return count_.load() > 0; }
  // The last signal was SIGTERM: whoever sent it wants the process gone, not only the turn.
  bool wants_exit() const { return terminate_.load(); }
  // Readable while pending; for poll(2).
  int fd() const { return fd_; }
  // As a signal does; async-signal-safe.
  void Raise(bool terminate = false);
  // Raise also makes this eventfd readable: the way to something that looks at its own descriptor only. -1: none.
  void ForwardTo(int eventfd) { forward_.store(eventfd); }
  // What was pending has been dealt with.
  void Reset();
  // Sleeps; true at once when something is or becomes pending.
  bool WaitFor(Duration duration) const;

 private:
  int fd_;
  std::atomic<int> forward_ = -1;
  std::atomic<int> count_ = 0;
  std::atomic<bool> terminate_ = false;
};

}  // namespace holdfast::cli
