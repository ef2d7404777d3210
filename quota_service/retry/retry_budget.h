#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "common/base/clock.h"

namespace holdfast::quota {

// Keeps retries from multiplying the load on an upstream that is failing (Finagle's retry budget): within any window of
// 10 s, retries are at most a share of the requests, plus a floor per second so that a quiet client may retry too. One
// per upstream. A moment earlier than one seen before counts as that one.
class RetryBudget {
 public:
  static constexpr Duration kWindow = std::chrono::seconds(10);

  struct Options {
    double share = 0.2;           // retries per request, from 0
    double floor_per_second = 1;  // retries, from 0.1: at least one per window, so that waiting always helps
  };

  explicit RetryBudget(Options options);
  RetryBudget() : RetryBudget(Options{}) {}

  // A request went out that is not a retry.
  void Deposit(BootTime now);

  // Takes one retry out of the budget; false, and nothing taken, where there is none left.
  bool TryWithdraw(BootTime now);

  // Until TryWithdraw would succeed if nothing else happened: zero, or up to the window.
  Duration UntilAvailable(BootTime now) const;

 private:
  // The window is a ring of slots; what is older than the ring is forgotten slot by slot.
  static constexpr int64_t kSlots = 20;
  static constexpr Duration kSlotLength = kWindow / kSlots;

  struct Slot {
    int64_t number = -1;  // of the span of time it stands for; -1: none
    int64_t requests = 0;
    int64_t retries = 0;
  };

  int64_t SlotNumber(BootTime now) const;
  Slot& SlotAt(BootTime now);
  // Retries left when the newest slot is `newest`.
  double Balance(int64_t newest) const;

  Options options_;
  int64_t newest_ = 0;
  std::array<Slot, kSlots> slots_;
};

// The budget of each upstream, by its name: what one spends, another keeps.
class RetryBudgets {
 public:
  // Stays where it is.
  RetryBudget& Of(const std::string& upstream) { return budgets_[upstream]; }

 private:
  std::map<std::string, RetryBudget> budgets_;
};

}  // namespace holdfast::quota
