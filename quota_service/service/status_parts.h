#pragma once

#include <string>

#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/ledger/ledger.h"
#include "quota_service/service/authenticator.h"

namespace holdfast::quota {

// Of those who wait in a queue, WatchStatus names at most so many.
inline constexpr size_t kMostWaitersShown = 100;

v1::WaitReason ReasonOf(WaitEstimate::Reason reason);

// The budgets that `caller` may see, and who waits for them.
void FillBudgets(const Caller& caller, BudgetGate& budgets, v1::WatchStatusResponse* status);
// `queue`: of what the caller may see.
void FillQueue(const QueueState& queue, v1::LimitGroupStatus* group);

// What a watcher is told again only if it has changed: all but what the clock alone moves.
std::string WithoutClock(v1::WatchStatusResponse status);

}  // namespace holdfast::quota
