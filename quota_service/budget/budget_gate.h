#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/loop.h"
#include "quota_service/admission/limit_group.h"
#include "quota_service/budget/daily_budget.h"

namespace holdfast::quota {

class BudgetGate;

// What a call asks of its tenant's budget.
struct BudgetDemand {
  std::string tenant;
  std::string session;
  int64_t tokens = 0;   // what it may come to
  int64_t bytes = 0;    // of the request, held in memory while it waits
  int64_t guessed = 0;  // of `tokens`: may turn out not to be, and makes no request one that never fits
};

struct BudgetRejection {
  bool never_fits = false;  // larger than a whole day's budget; otherwise its tenant has too much waiting
  std::string message;
  int64_t limit = 0;
  Duration retry_after{};  // where it is not `never_fits`
};

// Who waits for a budget. Called on the loop, never from inside a method of the gate; not after its place is gone.
class BudgetClient {
 public:
  virtual ~BudgetClient() = default;
  virtual void OnBudgetReserved() = 0;
  // The first time at once, then when the position changes, at most once a second. `estimate`: the budget as a limit of
  // tokens per 24 hours, with what is spent and reserved as `used`. The wait is until the reset; `least` is zero where
  // calls under way hold what is missing, and may give it back before.
  virtual void OnBudgetWaiting(const WaitEstimate& estimate) = 0;
  virtual void OnBudgetRejected(const BudgetRejection& rejection) = 0;
};

// A call's place before its tenant's budget: it waits, or has reserved. Destroying it gives up either. On the loop,
// which outlives it, as the gate does.
class BudgetPlace {
 public:
  ~BudgetPlace();
  BudgetPlace(const BudgetPlace&) = delete;
  BudgetPlace& operator=(const BudgetPlace&) = delete;

  // Also where the tenant has no budget.
  bool reserved() const { return state_ == State::kReserved; }
  // What one attempt has used; the reservation stays for the next one.
  void Spend(int64_t tokens);

 private:
  friend class BudgetGate;
  enum class State { kWaiting, kReserved, kRejected };
  BudgetPlace(BudgetGate& gate, BudgetDemand demand, BudgetClient* client)
      : gate_(gate), demand_(std::move(demand)), client_(client) {}

  BudgetGate& gate_;
  BudgetDemand demand_;
  BudgetClient* client_;
  uint64_t id_ = 0;
  State state_ = State::kReserved;
  BootTime since_{};
  int told_position_ = 0;
};

// A tenant's budget as others see it.
struct BudgetStanding {
  std::string tenant;
  int64_t limit = 0;
  int64_t spent = 0;
  int64_t reserved = 0;
  bool warned = false;     // on this day
  Duration until_reset{};  // positive
  WallTime reset_at{};
  size_t waiting = 0;  // calls
};

struct BudgetWaiter {
  std::string session;
  int position = 0;
  int64_t tokens = 0;
  Duration waited{};
};

struct BudgetOptions {
  std::map<std::string, BudgetLimit> limits;  // by tenant; who is not here has no budget
  size_t most_waiting = 10'000;               // calls of one tenant
  int64_t most_waiting_bytes = int64_t{1} << 30;
};

// Lets a call pass to the ledger when its tenant's budget has room for it. It stands before the ledger's queue, so that
// a tenant whose budget is gone blocks nobody there. Whoever fits passes, those that came earlier first: a call that
// would need more than what is left of a day keeps no smaller one from it. On the loop.
class BudgetGate {
 public:
  // `on_warning`: once a day for a tenant that has spent the share of its warning.
  BudgetGate(Loop& loop, BudgetOptions options, std::function<void(const BudgetStanding&)> on_warning = {});
  ~BudgetGate();

  // `client` outlives the place, and hears nothing where that has reserved at once.
  std::unique_ptr<BudgetPlace> Enter(BudgetDemand demand, BudgetClient* client);

  // As a new call would be told now; reason kNone: it would pass. Empty: never.
  std::optional<WaitEstimate> WouldWait(const std::string& tenant, int64_t tokens);
  // Tokens of a day; 0: no budget.
  int64_t LimitOf(const std::string& tenant) const;
  // Empty: no budget.
  std::optional<BudgetStanding> StandingOf(const std::string& tenant);
  // Of the tenants that have one, by name.
  std::vector<BudgetStanding> Standings();
  // The first `most`, in order.
  std::vector<BudgetWaiter> Waiters(const std::string& tenant, size_t most) const;

  std::map<std::string, BudgetState> Export();
  // Of tenants without a budget: ignored.
  void Restore(const std::map<std::string, BudgetState>& states);

 private:
  friend class BudgetPlace;
  struct Budget;

  Budget* Of(const std::string& tenant);
  BudgetStanding Stand(const std::string& tenant, Budget& budget);
  WaitEstimate Estimate(Budget& budget, int64_t tokens, int position);
  void Leave(BudgetPlace& place);
  void Spend(const std::string& tenant, int64_t tokens);
  void Reject(Budget& budget, uint64_t id);
  void Forget(Budget& budget, const BudgetPlace& place);
  // Soon, once: whoever fits passes, who is new is told.
  void Wake(Budget& budget);
  void LetPass(Budget& budget);
  void Serve(Budget& budget);
  void Tell(Budget& budget);

  Loop& loop_;
  const BudgetOptions options_;
  const std::function<void(const BudgetStanding&)> on_warning_;
  std::map<std::string, std::unique_ptr<Budget>> budgets_;
  uint64_t next_id_ = 1;
  // Posted tasks outlive the gate in the loop's queue; they hold this and find it empty.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
