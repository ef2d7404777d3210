#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>

#include "common/base/clock.h"

namespace holdfast::quota {

// Keeps calls away from an upstream account that fails for all of them: it opens when calls fail, then lets one through
// at a time, the probe, until one is answered. It delays, and never ends a call. Only failures of the upstream itself
// count, and one call counts once in a row, so that no single request closes an account for others. A moment earlier
// than one seen before is harmless.
class Breaker {
 public:
  // The caller's, unique among calls that are there at the same time.
  using CallId = uint64_t;

  struct Options {
    size_t calls = 5;    // so many different ones that fail without an answer in between open it,
    int64_t least = 20;  // and so does, of at least so many that ended within the window,
    double share = 0.8;  // this share that failed.
    Duration window = std::chrono::seconds(10);
    // Between probes: doubled by each that fails. A probe that is silent for so long makes room for another.
    Duration first = std::chrono::seconds(1);
    Duration most = std::chrono::seconds(30);
  };
  enum class State {
    kClosed,
    kOpen,      // nobody passes before NextProbe
    kHalfOpen,  // a probe is out
  };

  explicit Breaker(Options options) : options_(options), pause_(options.first) {}
  Breaker() : Breaker(Options{}) {}

  State state() const;
  // Whether `call` may be sent now; where it is open, as the probe. Asking again as the probe changes nothing.
  bool TryPass(BootTime now, CallId call);
  // For a call that can wait no longer and would fail otherwise: does not wait for the probe's moment, but for
  // Options::first since the last failure, and for a probe that is out.
  bool TryPassAtLast(BootTime now, CallId call);
  // While it is open: the moment from which TryPass lets another call through, if nothing happens until then.
  BootTime NextProbe() const { return next_probe_; }

  // The upstream began to answer: headers of a 200. This closes it, but is no proof yet: an overload may follow.
  void OnHeaders(CallId call);
  // It answered: with output, or by finding something wrong with the request or the account.
  void OnAnswered(BootTime now, CallId call);
  // It has no capacity, failed inside, or cannot be reached.
  void OnFailed(BootTime now, CallId call);
  // The attempt ended and says nothing of the upstream.
  void OnGone(CallId call);

 private:
  // The window is a ring of slots; what is older is forgotten slot by slot.
  static constexpr int64_t kSlots = 10;
  struct Slot {
    int64_t number = -1;  // of the span of time it stands for; -1: none
    int64_t failed = 0;
    int64_t ended = 0;
  };

  void Count(BootTime now, bool failed);
  bool ShareIsTooLarge() const;
  bool IsProbe(CallId call) const { return passed_.contains(call); }
  void Pass(BootTime now, CallId call);
  void Open(BootTime now);
  void Close();

  Options options_;
  std::set<CallId> failing_;  // in a row, without an answer in between
  std::array<Slot, kSlots> slots_;
  int64_t newest_ = 0;
  bool open_ = false;
  std::set<CallId> passed_;      // since it opened
  std::optional<CallId> probe_;  // the last of them, unless it has ended
  Duration pause_;               // until the next probe, when one has failed
  BootTime next_probe_{};
  BootTime last_failure_{};
};

}  // namespace holdfast::quota
