#pragma once

#include <deque>
#include <memory>

#include "common/base/clock.h"

namespace holdfast::quota {

enum class WindowKind {
  kContinuous,  // a token bucket: capacity `limit`, refilled at limit / per; what OpenAI's gate does
  kSliding,     // at most `limit` in any span of `per`
  kFixed,       // whole again at the end of each window of `per`; windows follow each other from the first charge on
};

// One limit over one window, as a mirror of what the provider's gate keeps. Amounts are in units of the dimension
// (tokens, requests). The level is the room that is left; it is never above the limit, and negative when more was
// charged than there was.
class Gauge {
 public:
  virtual ~Gauge() = default;

  virtual double Level(BootTime now) const = 0;
  // The first moment, not before `now`, at which `amount` fits if nothing else is charged. BootTime::max(): never, it
  // is over the limit.
  virtual BootTime WhenFits(BootTime now, double amount) const = 0;
  // Whether it fits now.
  virtual bool Fits(BootTime now, double amount) const { return WhenFits(now, amount) <= now; }
  virtual void Charge(BootTime now, double amount) = 0;
  // Takes a charge of `amount` made at `charged_at` back, as far as it would still be felt: a window that has ended is
  // whole without it.
  virtual void Return(BootTime now, BootTime charged_at, double amount) = 0;
  // Level += delta, for what the mirror did not see.
  virtual void Correct(BootTime now, double delta) = 0;
  // The provider says that the window which it is in ends then. Only fixed windows have an end.
  virtual void EndWindowAt(BootTime, BootTime /*end*/) {}
  // What is used stays used.
  virtual void SetLimit(BootTime now, double limit) = 0;
  virtual std::unique_ptr<Gauge> Clone() const = 0;

  double limit() const { return limit_; }
  Duration per() const { return per_; }
  double rate() const { return rate_; }  // limit / per, a second

 protected:
  Gauge(double limit, Duration per) : limit_(limit), per_(per), rate_(limit / ToSeconds(per)) {}
  Gauge(const Gauge&) = default;

  void ChangeLimit(double limit) {
    limit_ = limit;
    rate_ = limit / ToSeconds(per_);
  }

 private:
  double limit_;
  Duration per_;
  double rate_;
};

// Full at first. `limit` and `per` are positive.
// `slack`: what a sliding window counts is counted this much longer, for requests that take less time to arrive than
// one before them.
std::unique_ptr<Gauge> MakeGauge(WindowKind kind, double limit, Duration per, Duration slack = {});

}  // namespace holdfast::quota
