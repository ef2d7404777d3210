#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "quota_service/admission/limit_group.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// Why a call failed, whichever protocol its caller speaks.
struct CallFailure {
  enum class Kind {
    kWaitTooLong,     // the wait is, or would be, longer than the caller allows
    kQueueFull,       // its tenant has too many calls waiting
    kBudgetGone,      // its tenant's budget of the day is used up, and the reset is further away than the caller waits
    kNeverFits,       // larger than the limit, or than the model's window
    kQuotaExhausted,  // the upstream's money or quota is gone
    kUpstreamAuth,    // the upstream refuses our key
    kInvalidRequest,  // the upstream will not take this request
    kUnusableAnswer,  // what the upstream answers cannot be used, and trying on would only be paid for
    kBrokenOff,       // failed after output to a caller that cannot begin again
    kCancelled,
  };
  Kind kind = Kind::kCancelled;
  std::string message;                  // for people; without secrets
  std::optional<Duration> retry_after;  // from now
  std::optional<WaitEstimate> wait;     // for kWaitTooLong and kBudgetGone, where a limit is the reason
  int64_t largest = 0;                  // for kNeverFits: the largest charge that fits; 0: unknown
  std::string budget;                   // BudgetScope, where the limit is that and none of the upstream's; else empty
  std::optional<UpstreamFailure> upstream = std::nullopt;  // what of it ended the call, or was in the way for too long
};

const char* CallFailureName(CallFailure::Kind kind);

// What the budget of a tenant is called where a limit group has its name: "tenant:<name>".
std::string BudgetScope(const std::string& tenant);

struct CallOutcome {
  std::optional<CallFailure> failure;  // absent: completed
  std::optional<TokenUsage> usage;
  Duration waited{};
  int attempts = 0;
};

// What a waiting caller is told.
struct WaitNotice {
  enum class Reason { kRateLimit, kUpstreamRefused, kBackoff, kLearning, kBudget };
  Reason reason = Reason::kRateLimit;
  std::string scope;      // the limit group; for kBudget BudgetScope
  WaitEstimate estimate;  // its limit fields only for kRateLimit, kUpstreamRefused and kBudget
  BootTime ends;          // when the wait is expected to be over
  WallTime retry_at;      // the same moment on the wall clock
  int attempts = 0;       // sent upstream so far
  std::string detail;     // the last failure in words; may be empty
};

}  // namespace holdfast::quota
