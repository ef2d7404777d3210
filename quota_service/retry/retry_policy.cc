#include "quota_service/retry/retry_policy.h"

#include <algorithm>

namespace holdfast::quota {
namespace {

RetryKind KindOf(FailureClass cls) {
  switch (cls) {
    case FailureClass::kRateLimited:
      return RetryKind::kHold;
    case FailureClass::kOverloaded:
    case FailureClass::kTransport:
    case FailureClass::kNoStream:
      return RetryKind::kBackOff;
    case FailureClass::kTooLarge:
    case FailureClass::kQuotaExhausted:
    case FailureClass::kContextOverflow:
    case FailureClass::kAuthentication:
    case FailureClass::kInvalidRequest:
    case FailureClass::kUnusable:
      return RetryKind::kStop;
  }
  return RetryKind::kStop;
}

RetryDecision Stop(StopReason reason, Duration after = {}) { return {RetryKind::kStop, reason, after}; }

}  // namespace

RetryDecision BackoffOrStop(const RetryQuestion& question, const BackoffPolicy& policy, const Uniform& uniform) {
  const RetryKind kind = KindOf(question.failure.cls);
  const bool page = question.failure.cls == FailureClass::kNoStream && question.of_class + 1 >= kNoStreamAttempts;
  if (kind == RetryKind::kStop || page) return Stop(StopReason::kPermanent);
  if (question.output_passed && !question.can_restart) return Stop(StopReason::kOutputPassed);

  const auto& server_minimum = question.failure.hint.retry_after;
  const Duration least = server_minimum.value_or(Duration::zero());
  const Duration left = question.max_wait - question.waited;
  const Duration wanted = kind == RetryKind::kHold && server_minimum
                              ? least
                              : NextBackoff(policy, question.attempt, server_minimum, uniform);
  if (left <= Duration::zero() || least > left) return Stop(StopReason::kWaitExhausted, std::max(least, wanted));
  return {kind, StopReason::kNone, std::min(wanted, left)};
}

}  // namespace holdfast::quota
