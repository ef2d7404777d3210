#pragma once

#include <memory>

#include "common/base/clock.h"

namespace holdfast::bench {

enum class Window {
  kContinuous,  // a bucket of a minute's tokens, refilled all the time
  kSliding,     // the last minute's charges
  kFixed,       // whole again every minute, and what was left is gone; as Azure
};

// A provider's limit on tokens a minute. Keeps account of what it offered, and of what went to nobody. Advance comes
// before every other call.
class TokenGate {
 public:
  virtual ~TokenGate() = default;

  virtual void Advance(BootTime now) = 0;
  // May be negative: after a settlement, or when the limit fell.
  virtual double level() const = 0;
  virtual void Charge(double amount) = 0;
  // Negative: more was used than had been charged.
  virtual void GiveBack(double amount, BootTime charged_at) = 0;
  // `amount` is at most the limit, and nobody else charges anything.
  virtual Duration UntilFits(double amount) const = 0;
  virtual Duration UntilWhole() const = 0;
  // What is used stays used.
  virtual void SetLimit(double limit) = 0;

  double limit() const { return limit_; }
  // Tokens that came free since the beginning, without those that were there at first.
  double offered() const { return offered_; }
  // Of these, what came to nobody: refill of a full bucket, the rest of a window that ended, room in a sliding one.
  double lost() const { return lost_; }

 protected:
  explicit TokenGate(double limit) : limit_(limit) {}

  double limit_;
  double offered_ = 0;
  double lost_ = 0;
};

// `limit` tokens a minute, whole at first. `phase`: when the first fixed window ends.
std::unique_ptr<TokenGate> MakeTokenGate(Window window, double limit, BootTime now, Duration phase);

}  // namespace holdfast::bench
