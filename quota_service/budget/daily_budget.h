#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace holdfast::quota {

// What a tenant may spend in a day.
struct BudgetLimit {
  int64_t tokens = 0;    // positive
  double warning = 0.8;  // the share of `tokens` from which on an operator is warned; 1: with the end of it
};

// What outlives a restart of a budget.
struct BudgetState {
  int64_t day = 0;    // since 1970-01-01, UTC
  int64_t spent = 0;  // tokens, on this day
  bool warned = false;

  bool operator==(const BudgetState&) const = default;
};

// A tenant's tokens of a day, by UTC: one day for everybody who shares a key, and none that has 23 or 25 hours. What
// calls under way may come to is reserved, so that many at once cannot spend far more than there is. A call counts on
// the day on which its usage is told. Pure.
//
// A wall clock that is set back by less than a day does not give yesterday's tokens again: the day stays until the
// clock has passed its end. One that is set back further was wrong before: the budget follows it, and what was spent
// stays spent.
class DailyBudget {
 public:
  explicit DailyBudget(BudgetLimit limit) : limit_(limit) {}

  int64_t limit() const { return limit_.tokens; }
  int64_t reserved() const { return reserved_; }
  int64_t spent(WallTime now);
  // Of this day; negative where calls came to more than was reserved.
  int64_t left(WallTime now) { return limit() - spent(now) - reserved_; }

  // Larger than a whole day's budget.
  bool NeverFits(int64_t tokens) const { return tokens > limit(); }
  // False: there is not as much left; nothing has changed.
  bool Reserve(WallTime now, int64_t tokens);
  // What Reserve took goes back.
  void Release(int64_t tokens) { reserved_ -= tokens; }
  // What a provider has counted, beside what is reserved. True: with it the share of the warning is reached, for the
  // first time on this day.
  bool Spend(WallTime now, int64_t tokens);

  bool warned(WallTime now);
  // A midnight.
  WallTime Reset(WallTime now);
  // Positive.
  Duration UntilReset(WallTime now);

  BudgetState Export(WallTime now);
  // In place of what was spent so far. A day that is over counts for nothing.
  void Restore(WallTime now, const BudgetState& state);

 private:
  void TurnTo(WallTime now);

  BudgetLimit limit_;
  BudgetState state_;
  int64_t reserved_ = 0;
};

}  // namespace holdfast::quota
