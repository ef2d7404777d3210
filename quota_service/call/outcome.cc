#include "quota_service/call/outcome.h"

namespace holdfast::quota {

const char* CallFailureName(CallFailure::Kind kind) {
  switch (kind) {
    case CallFailure::Kind::kWaitTooLong:
      return "wait_too_long";
    case CallFailure::Kind::kQueueFull:
      return "queue_full";
    case CallFailure::Kind::kBudgetGone:
      return "budget_gone";
    case CallFailure::Kind::kNeverFits:
      return "never_fits";
    case CallFailure::Kind::kQuotaExhausted:
      return "quota_exhausted";
    case CallFailure::Kind::kUpstreamAuth:
      return "upstream_auth";
    case CallFailure::Kind::kInvalidRequest:
      return "invalid_request";
    case CallFailure::Kind::kUnusableAnswer:
      return "unusable_answer";
    case CallFailure::Kind::kBrokenOff:
      return "broken_off";
    case CallFailure::Kind::kCancelled:
      return "cancelled";
  }
  return "";
}

std::string BudgetScope(const std::string& tenant) { return "tenant:" + tenant; }

}  // namespace holdfast::quota
