#include "quota_service/service/budget_status.h"

#include "quota_service/typed/wire.h"

namespace holdfast::quota {

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
  }
}

std::string WithoutClock(v1::WatchStatusResponse status) {
  status.clear_time();
  for (v1::BudgetStatus& budget : *status.mutable_budgets()) {
    budget.clear_reset_seconds();
    budget.clear_reset_at();
  }
  return status.SerializeAsString();
}

}  // namespace holdfast::quota
