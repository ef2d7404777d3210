#pragma once

#include <string>

#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/service/authenticator.h"

namespace holdfast::quota {

// The budgets that `caller` may see: its own, or a service all.
void FillBudgets(const Caller& caller, BudgetGate& budgets, v1::WatchStatusResponse* status);

// What a watcher is told again only if it has changed: all but what the clock alone moves.
std::string WithoutClock(v1::WatchStatusResponse status);

}  // namespace holdfast::quota
