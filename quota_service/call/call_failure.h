#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/call/envelope.h"
#include "quota_service/call/outcome.h"
#include "quota_service/ledger/ledger.h"
#include "quota_service/retry/account_health.h"

namespace holdfast::quota {

// Why a call ends, in the words and numbers that its caller gets. Pure: the time is passed in.

// The budget of its tenant has not let it in.
CallFailure BudgetRefused(const BudgetRejection& rejection, const std::string& tenant);
// It would come back too late: `estimate` says when.
CallFailure BudgetGone(const WaitEstimate& estimate, const Envelope& envelope);
// Absent: the ledger cannot be reached, which may pass.
std::optional<CallFailure> QueueRefused(const Rejection& rejection);
// The upstream's account is not to be used.
CallFailure AccountRefused(const Outage& outage, const Account& account, BootTime now, WallTime wall_now);
// What the upstream answered, where no other attempt is worth it.
CallFailure UpstreamFailed(const UpstreamFailure& upstream, const Account& account);
// All attempts together; `broken` is the last that ended by itself.
CallFailure RanTooLong(const Account& account, int attempts, const std::optional<UpstreamFailure>& broken);

struct LongWait {
  Duration waited{};                            // in all
  std::optional<Duration> to_go = {};           // absent: not known
  std::optional<WaitEstimate> estimate = {};    // the last that was told
  bool held = false;                            // while the upstream fails for all
  std::optional<UpstreamFailure> failure = {};  // the last one of the upstream
};
// Longer than its caller allows.
CallFailure WaitedTooLong(const LongWait& wait, const Envelope& envelope);

// `why`: as the exchange has it.
CallFailure InvalidRequest(const absl::Status& why);
CallFailure Cancelled(std::string why);

}  // namespace holdfast::quota
