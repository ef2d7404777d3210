#include "quota_service/service/failure_status.h"

#include <fmt/format.h>

#include "common/base/duration_text.h"
#include "common/rpc/status.h"

namespace holdfast::quota {
namespace {

// As the configuration names a tenant's budget.
constexpr char kBudgetMetric[] = "tokens_per_day";

std::string Describe(const WaitEstimate& wait) {
  return fmt::format("{} {}{}: {} used, {} requested", wait.limit, DimensionName(wait.dimension),
                     wait.per > Duration::zero() ? " per " + FormatDuration(wait.per) : "", wait.used, wait.requested);
}

}  // namespace

grpc::Status StatusOf(const CallFailure& failure, const std::string& scope) {
  ErrorDetails details;
  details.retry_delay = failure.retry_after;
  const std::string subject = failure.budget.empty() ? "upstream:" + scope : failure.budget;
  switch (failure.kind) {
    case CallFailure::Kind::kWaitTooLong:
      if (failure.wait) {
        details.violations.push_back(
            {subject, Describe(*failure.wait), DimensionName(failure.wait->dimension), failure.wait->limit});
      } else {
        details.violations.push_back({subject, failure.message, "max_wait", 0});
      }
      if (!details.retry_delay) details.retry_delay = std::chrono::seconds(1);
      return ToGrpc(absl::ResourceExhaustedError(failure.message), details);
    case CallFailure::Kind::kBudgetGone:
      details.violations.push_back({subject, failure.wait ? Describe(*failure.wait) : failure.message, kBudgetMetric,
                                    failure.wait ? failure.wait->limit : 0});
      return ToGrpc(absl::ResourceExhaustedError(failure.message), details);
    case CallFailure::Kind::kQueueFull:
      details.violations.push_back({subject, failure.message, "queue", 0});
      return ToGrpc(absl::ResourceExhaustedError(failure.message), details);
    case CallFailure::Kind::kNeverFits:
      details.retry_delay.reset();
      details.violations.push_back(
          {subject, failure.largest > 0 ? fmt::format("at most {} tokens fit", failure.largest) : failure.message,
           failure.budget.empty() ? "tokens" : kBudgetMetric, failure.largest});
      return ToGrpc(absl::FailedPreconditionError(failure.message), details);
    case CallFailure::Kind::kQuotaExhausted:
      return ToGrpc(absl::FailedPreconditionError(failure.message), details);
    case CallFailure::Kind::kUpstreamAuth:
    case CallFailure::Kind::kUnusableAnswer:
      return ToGrpc(absl::FailedPreconditionError(failure.message));
    case CallFailure::Kind::kInvalidRequest:
      return ToGrpc(absl::InvalidArgumentError(failure.message));
    case CallFailure::Kind::kBrokenOff:
      return ToGrpc(absl::AbortedError(failure.message));
    case CallFailure::Kind::kCancelled:
      return ToGrpc(absl::CancelledError(failure.message));
  }
  return ToGrpc(absl::InternalError(failure.message));
}

}  // namespace holdfast::quota
