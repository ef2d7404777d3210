#include "quota_service/service/status_parts.h"

#include "quota_service/typed/wire.h"

namespace holdfast::quota {

v1::WaitReason ReasonOf(WaitEstimate::Reason reason) {
  switch (reason) {
    case WaitEstimate::Reason::kLearning:
      return v1::WAIT_REASON_LEARNING;
    case WaitEstimate::Reason::kPaused:
      return v1::WAIT_REASON_UPSTREAM_REFUSED;
    case WaitEstimate::Reason::kLimit:
    case WaitEstimate::Reason::kNone:
      break;
  }
  return v1::WAIT_REASON_RATE_LIMIT;
}

void FillBudgets(const Caller& caller, BudgetGate& budgets, v1::WatchStatusResponse* status) {
  for (const BudgetStanding& standing : budgets.Standings()) {
    if (!caller.MaySee(standing.tenant)) continue;
    v1::BudgetStatus* out = status->add_budgets();
    out->set_tenant(standing.tenant);
    out->set_tokens_per_day(standing.limit);
    out->set_spent(standing.spent);
    out->set_reserved(standing.reserved);
    out->set_warned(standing.warned);
    out->set_reset_seconds(ToSeconds(standing.until_reset));
    FillTimestamp(standing.reset_at, out->mutable_reset_at());
    out->set_waiting(static_cast<int32_t>(standing.waiting));
    for (const BudgetWaiter& waiter : budgets.Waiters(standing.tenant, kMostWaitersShown)) {
      v1::WaiterStatus* shown = out->add_waiters();
      shown->set_tenant(standing.tenant);
      shown->set_session(waiter.session);
      shown->set_position(waiter.position);
      // What calls under way do not need may come back at any time.
      const bool only_reserved = waiter.tokens <= standing.limit - standing.spent;
      shown->set_seconds(ToSeconds(standing.until_reset));
      shown->set_least_seconds(only_reserved ? 0 : ToSeconds(standing.until_reset));
      shown->set_most_seconds(ToSeconds(standing.until_reset));
      shown->set_requested(waiter.tokens);
      shown->set_waited_seconds(ToSeconds(waiter.waited));
      shown->set_reason(v1::WAIT_REASON_BUDGET);
    }
  }
}

void FillQueue(const QueueState& queue, v1::LimitGroupStatus* group) {
  group->set_wait_seconds(ToSeconds(queue.wait));
  group->set_visible(static_cast<int32_t>(queue.visible));
  for (const WaiterState& waiter : queue.waiters) {
    v1::WaiterStatus* shown = group->add_waiters();
    shown->set_tenant(waiter.tenant);
    shown->set_session(waiter.session);
    shown->set_position(waiter.estimate.position);
    shown->set_seconds(ToSeconds(waiter.estimate.wait));
    shown->set_least_seconds(ToSeconds(waiter.estimate.least));
    shown->set_most_seconds(ToSeconds(waiter.estimate.most));
    shown->set_requested(waiter.estimate.requested);
    shown->set_waited_seconds(ToSeconds(waiter.waited));
    shown->set_reason(ReasonOf(waiter.estimate.reason));
  }
}

std::string WithoutClock(v1::WatchStatusResponse status) {
  status.clear_time();
  for (v1::BudgetStatus& budget : *status.mutable_budgets()) {
    budget.clear_reset_seconds();
    budget.clear_reset_at();
    for (v1::WaiterStatus& waiter : *budget.mutable_waiters()) {
      waiter.clear_seconds();
      waiter.clear_least_seconds();
      waiter.clear_most_seconds();
      waiter.clear_waited_seconds();
    }
  }
  return status.SerializeAsString();
}

}  // namespace holdfast::quota
