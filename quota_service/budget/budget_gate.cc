#include "quota_service/budget/budget_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace holdfast::quota {
namespace {

constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kTellInterval = std::chrono::seconds(1);
// The reset is a moment of the wall clock, which may be set; timers run on another one.
constexpr Duration kMostSleep = std::chrono::minutes(1);

}  // namespace

struct BudgetGate::Budget {
  Budget(BudgetLimit limit, Loop& loop) : tokens(limit), reset(loop.NewTimer()), tell(loop.NewTimer()) {}

  DailyBudget tokens;
  std::map<uint64_t, BudgetPlace*> waiting;    // in the order of arrival
  std::map<uint64_t, BudgetPlace*> answering;  // passed or rejected, and not told yet
  std::vector<uint64_t> untold;                // that wait
  int64_t waiting_bytes = 0;
  int64_t least_waiting = std::numeric_limits<int64_t>::max();  // no waiter needs fewer tokens
  std::unique_ptr<Loop::Timer> reset;
  std::unique_ptr<Loop::Timer> tell;
  bool tell_armed = false;
  bool wake_posted = false;
};

BudgetPlace::~BudgetPlace() { gate_.Leave(*this); }

void BudgetPlace::Spend(int64_t tokens) { gate_.Spend(demand_.tenant, tokens); }

BudgetGate::BudgetGate(Loop& loop, BudgetOptions options, std::function<void(const BudgetStanding&)> on_warning)
    : loop_(loop), options_(std::move(options)), on_warning_(std::move(on_warning)) {
  for (const auto& [tenant, limit] : options_.limits) {
    if (limit.tokens > 0) budgets_[tenant] = std::make_unique<Budget>(limit, loop_);
  }
}

BudgetGate::~BudgetGate() { *alive_ = false; }

BudgetGate::Budget* BudgetGate::Of(const std::string& tenant) {
  const auto found = budgets_.find(tenant);
  return found == budgets_.end() ? nullptr : found->second.get();
}

std::unique_ptr<BudgetPlace> BudgetGate::Enter(BudgetDemand demand, BudgetClient* client) {
  demand.tokens = std::max<int64_t>(0, demand.tokens);
  if (const int64_t limit = LimitOf(demand.tenant); limit > 0 && demand.tokens - demand.guessed <= limit) {
    demand.tokens = std::min(demand.tokens, limit);
  }
  std::unique_ptr<BudgetPlace> place(new BudgetPlace(*this, std::move(demand), client));
  Budget* budget = Of(place->demand_.tenant);
  if (budget == nullptr || budget->tokens.Reserve(loop_.WallNow(), place->demand_.tokens)) return place;

  const uint64_t id = place->id_ = next_id_++;
  place->since_ = loop_.Now();
  // One that is larger than all that may wait would never get in.
  const bool too_many_bytes =
      !budget->waiting.empty() && place->demand_.bytes > options_.most_waiting_bytes - budget->waiting_bytes;
  const bool full = budget->waiting.size() >= options_.most_waiting || too_many_bytes;
  if (full || budget->tokens.NeverFits(place->demand_.tokens)) {
    place->state_ = BudgetPlace::State::kRejected;
    budget->answering[id] = place.get();
    loop_.Post([this, alive = alive_, budget, id] {
      if (*alive) Reject(*budget, id);
    });
    return place;
  }
  place->state_ = BudgetPlace::State::kWaiting;
  budget->waiting[id] = place.get();
  budget->untold.push_back(id);
  budget->waiting_bytes += place->demand_.bytes;
  budget->least_waiting = std::min(budget->least_waiting, place->demand_.tokens);
  Wake(*budget);
  return place;
}

void BudgetGate::Reject(Budget& budget, uint64_t id) {
  const auto found = budget.answering.extract(id);
  if (found.empty()) return;
  const BudgetPlace& place = *found.mapped();
  const std::string& tenant = place.demand_.tenant;
  BudgetRejection rejection;
  rejection.limit = budget.tokens.limit();
  rejection.never_fits = budget.tokens.NeverFits(place.demand_.tokens);
  if (rejection.never_fits) {
    rejection.message = fmt::format("this request may need {} tokens, and tenant {} has {} for a whole day",
                                    place.demand_.tokens, tenant, rejection.limit);
  } else {
    rejection.retry_after = budget.tokens.UntilReset(loop_.WallNow());
    rejection.message =
        fmt::format("tenant {} has {} calls of {} bytes waiting for its budget of the day, and may have no more",
                    tenant, budget.waiting.size(), budget.waiting_bytes);
  }
  place.client_->OnBudgetRejected(rejection);
}

void BudgetGate::Forget(Budget& budget, const BudgetPlace& place) {
  budget.waiting.erase(place.id_);
  budget.waiting_bytes -= place.demand_.bytes;
}

void BudgetGate::Leave(BudgetPlace& place) {
  Budget* budget = Of(place.demand_.tenant);
  if (budget == nullptr) return;
  budget->answering.erase(place.id_);
  if (place.state_ == BudgetPlace::State::kReserved) budget->tokens.Release(place.demand_.tokens);
  if (place.state_ == BudgetPlace::State::kWaiting) Forget(*budget, place);
  Wake(*budget);
}

void BudgetGate::Spend(const std::string& tenant, int64_t tokens) {
  Budget* budget = Of(tenant);
  if (budget == nullptr || !budget->tokens.Spend(loop_.WallNow(), tokens) || !on_warning_) return;
  on_warning_(Stand(tenant, *budget));
}

void BudgetGate::Wake(Budget& budget) {
  if (budget.wake_posted || budget.waiting.empty()) return;
  budget.wake_posted = true;
  loop_.Post([this, alive = alive_, &budget] {
    if (!*alive) return;
    budget.wake_posted = false;
    Serve(budget);
  });
}

void BudgetGate::LetPass(Budget& budget) {
  const WallTime now = loop_.WallNow();
  if (budget.tokens.left(now) < budget.least_waiting) return;
  std::vector<uint64_t> passed;
  budget.least_waiting = std::numeric_limits<int64_t>::max();
  for (const auto& [id, place] : budget.waiting) {
    if (budget.tokens.Reserve(now, place->demand_.tokens)) {
      passed.push_back(id);
    } else {
      budget.least_waiting = std::min(budget.least_waiting, place->demand_.tokens);
    }
  }
  for (const uint64_t id : passed) {
    BudgetPlace* place = budget.waiting.at(id);
    place->state_ = BudgetPlace::State::kReserved;
    Forget(budget, *place);
    budget.answering[id] = place;
  }
  // A client may give up any place from inside its callback, so each is looked up again.
  for (const uint64_t id : passed) {
    if (const auto found = budget.answering.extract(id); !found.empty()) found.mapped()->client_->OnBudgetReserved();
  }
}

void BudgetGate::Serve(Budget& budget) {
  LetPass(budget);
  for (const uint64_t id : std::exchange(budget.untold, {})) {
    const auto found = budget.waiting.find(id);
    if (found == budget.waiting.end()) continue;
    // From the end, which is near: it came last.
    const auto behind = std::distance(std::next(found), budget.waiting.end());
    found->second->told_position_ = static_cast<int>(budget.waiting.size()) - static_cast<int>(behind);
    found->second->client_->OnBudgetWaiting(
        Estimate(budget, found->second->demand_.tokens, found->second->told_position_));
  }
  if (budget.waiting.empty()) {
    budget.reset->Disarm();
    return;
  }
  budget.reset->ArmAt(loop_.Now() + std::min(budget.tokens.UntilReset(loop_.WallNow()), kMostSleep),
                      [this, &budget] { Serve(budget); });
  if (budget.tell_armed) return;
  budget.tell_armed = true;
  budget.tell->ArmAt(loop_.Now() + kTellInterval, [this, &budget] {
    budget.tell_armed = false;
    Tell(budget);
  });
}

void BudgetGate::Tell(Budget& budget) {
  std::vector<uint64_t> moved;
  int position = 0;
  for (const auto& [id, place] : budget.waiting) {
    if (++position == place->told_position_ || place->told_position_ == 0) continue;
    place->told_position_ = position;
    moved.push_back(id);
  }
  for (const uint64_t id : moved) {
    const auto found = budget.waiting.find(id);
    if (found == budget.waiting.end()) continue;
    found->second->client_->OnBudgetWaiting(
        Estimate(budget, found->second->demand_.tokens, found->second->told_position_));
  }
}

WaitEstimate BudgetGate::Estimate(Budget& budget, int64_t tokens, int position) {
  const WallTime now = loop_.WallNow();
  WaitEstimate estimate;
  estimate.reason = WaitEstimate::Reason::kLimit;
  estimate.dimension = Dimension::kTokens;
  estimate.limit = budget.tokens.limit();
  estimate.per = kDay;
  estimate.used = budget.tokens.limit() - budget.tokens.left(now);
  estimate.requested = tokens;
  estimate.wait = estimate.most = budget.tokens.UntilReset(now);
  const bool only_reserved = tokens <= budget.tokens.limit() - budget.tokens.spent(now);
  estimate.least = only_reserved ? Duration::zero() : estimate.wait;
  estimate.position = position;
  return estimate;
}

std::optional<WaitEstimate> BudgetGate::WouldWait(const std::string& tenant, int64_t tokens) {
  Budget* budget = Of(tenant);
  if (budget == nullptr || tokens <= budget->tokens.left(loop_.WallNow())) return WaitEstimate();
  if (budget->tokens.NeverFits(tokens)) return std::nullopt;
  return Estimate(*budget, tokens, static_cast<int>(budget->waiting.size()) + 1);
}

int64_t BudgetGate::LimitOf(const std::string& tenant) const {
  const auto found = budgets_.find(tenant);
  return found == budgets_.end() ? 0 : found->second->tokens.limit();
}

BudgetStanding BudgetGate::Stand(const std::string& tenant, Budget& budget) {
  const WallTime now = loop_.WallNow();
  return {.tenant = tenant,
          .limit = budget.tokens.limit(),
          .spent = budget.tokens.spent(now),
          .reserved = budget.tokens.reserved(),
          .warned = budget.tokens.warned(now),
          .until_reset = budget.tokens.UntilReset(now),
          .reset_at = budget.tokens.Reset(now),
          .waiting = budget.waiting.size()};
}

std::optional<BudgetStanding> BudgetGate::StandingOf(const std::string& tenant) {
  const auto found = budgets_.find(tenant);
  if (found == budgets_.end()) return std::nullopt;
  return Stand(tenant, *found->second);
}

std::vector<BudgetStanding> BudgetGate::Standings() {
  std::vector<BudgetStanding> standings;
  for (const auto& [tenant, budget] : budgets_) standings.push_back(Stand(tenant, *budget));
  return standings;
}

std::vector<BudgetWaiter> BudgetGate::Waiters(const std::string& tenant, size_t most) const {
  std::vector<BudgetWaiter> waiters;
  const auto found = budgets_.find(tenant);
  if (found == budgets_.end()) return waiters;
  for (const auto& [id, place] : found->second->waiting) {
    if (waiters.size() >= most) break;
    waiters.push_back({.session = place->demand_.session,
                       .position = static_cast<int>(waiters.size()) + 1,
                       .tokens = place->demand_.tokens,
                       .waited = loop_.Now() - place->since_});
  }
  return waiters;
}

std::map<std::string, BudgetState> BudgetGate::Export() {
  std::map<std::string, BudgetState> states;
  for (const auto& [tenant, budget] : budgets_) states[tenant] = budget->tokens.Export(loop_.WallNow());
  return states;
}

void BudgetGate::Restore(const std::map<std::string, BudgetState>& states) {
  for (const auto& [tenant, state] : states) {
    if (Budget* budget = Of(tenant)) budget->tokens.Restore(loop_.WallNow(), state);
  }
}

}  // namespace holdfast::quota
