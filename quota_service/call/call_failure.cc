#include "quota_service/call/call_failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/duration_text.h"
#include "quota_service/call/account_gate.h"

namespace holdfast::quota {
namespace {

CallFailure::Kind KindOf(FailureClass cls) {
  switch (cls) {
    case FailureClass::kTooLarge:
    case FailureClass::kContextOverflow:
      return CallFailure::Kind::kNeverFits;
    case FailureClass::kQuotaExhausted:
      return CallFailure::Kind::kQuotaExhausted;
    case FailureClass::kAuthentication:
      return CallFailure::Kind::kUpstreamAuth;
    case FailureClass::kInvalidRequest:
      return CallFailure::Kind::kInvalidRequest;
    case FailureClass::kNoStream:
    case FailureClass::kUnusable:
      return CallFailure::Kind::kUnusableAnswer;
    case FailureClass::kRateLimited:
    case FailureClass::kOverloaded:
    case FailureClass::kTransport:
      break;
  }
  return CallFailure::Kind::kBrokenOff;
}

CallFailure Failure(CallFailure::Kind kind, std::string message) {
  CallFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return failure;
}

}  // namespace

CallFailure BudgetRefused(const BudgetRejection& rejection, const std::string& tenant) {
  CallFailure failure =
      Failure(rejection.never_fits ? CallFailure::Kind::kNeverFits : CallFailure::Kind::kQueueFull, rejection.message);
  failure.budget = BudgetScope(tenant);
  if (rejection.never_fits) {
    failure.largest = rejection.limit;
  } else {
    failure.retry_after = rejection.retry_after;
  }
  return failure;
}

CallFailure BudgetGone(const WaitEstimate& estimate, const Envelope& envelope) {
  CallFailure failure = Failure(CallFailure::Kind::kBudgetGone,
                                fmt::format("the budget of tenant {} has no room: {} tokens a day (UTC), {} spent or "
                                            "reserved by calls under way, {} needed; "
                                            "it is whole again in {}, longer than the {} allowed",
                                            envelope.tenant, estimate.limit, estimate.used, estimate.requested,
                                            FormatDuration(estimate.wait), FormatDuration(envelope.max_wait)));
  failure.retry_after = estimate.wait;
  failure.wait = estimate;
  failure.budget = BudgetScope(envelope.tenant);
  return failure;
}

std::optional<CallFailure> QueueRefused(const Rejection& rejection) {
  const std::string words(rejection.status.message());
  switch (rejection.status.code()) {
    case absl::StatusCode::kFailedPrecondition: {
      CallFailure failure = Failure(CallFailure::Kind::kNeverFits, words);
      failure.largest = rejection.largest;
      return failure;
    }
    case absl::StatusCode::kResourceExhausted: {
      CallFailure failure = Failure(CallFailure::Kind::kQueueFull, words);
      failure.retry_after = rejection.retry_after;
      return failure;
    }
    default:
      return std::nullopt;
  }
}

CallFailure AccountRefused(const Outage& outage, const Account& account, BootTime now, WallTime wall_now) {
  CallFailure failure =
      Failure(KindOf(outage.cls), fmt::format("upstream {} {}", account.name, DescribeOutage(outage, now, wall_now)));
  if (outage.reset) failure.retry_after = std::max(Duration::zero(), *outage.reset - now);
  return failure;
}

CallFailure UpstreamFailed(const UpstreamFailure& upstream, const Account& account) {
  const CallFailure::Kind kind = KindOf(upstream.cls);
  const bool key = kind == CallFailure::Kind::kUpstreamAuth;
  CallFailure failure = Failure(
      kind, fmt::format("upstream {}{}: {}", account.name,
                        key ? " refuses the key that quota_service has for it; check it" : "", upstream.message));
  failure.retry_after = upstream.hint.retry_after;
  failure.upstream = upstream;
  if (kind == CallFailure::Kind::kNeverFits && upstream.hint.limit) failure.largest = *upstream.hint.limit;
  return failure;
}

CallFailure RanTooLong(const Account& account, int attempts, const std::optional<UpstreamFailure>& broken) {
  CallFailure failure =
      Failure(CallFailure::Kind::kUnusableAnswer,
              fmt::format("upstream {}: no whole answer within {}, the run_timeout of a call; attempts: {}",
                          account.name, FormatDuration(account.run_timeout), attempts));
  if (broken) failure.message += "; the last to break: " + broken->message;
  return failure;
}

CallFailure WaitedTooLong(const LongWait& wait, const Envelope& envelope) {
  CallFailure failure =
      Failure(CallFailure::Kind::kWaitTooLong,
              fmt::format("the wait is longer than the {} allowed ({} waited{})", FormatDuration(envelope.max_wait),
                          FormatDuration(wait.waited),
                          wait.to_go ? fmt::format(", {} to go", FormatDuration(*wait.to_go)) : std::string()));
  failure.retry_after = wait.to_go;
  if (wait.estimate && wait.estimate->reason == WaitEstimate::Reason::kLimit) failure.wait = wait.estimate;
  if (wait.held) {
    failure.message += fmt::format("; upstream {} fails for all, and is asked by one call at a time until it answers",
                                   envelope.route.account->name);
  }
  if (wait.failure) {
    failure.message += "; last answer of the upstream: " + wait.failure->message;
    if (!failure.wait && wait.failure->cls != FailureClass::kRateLimited) failure.upstream = wait.failure;
  }
  return failure;
}

CallFailure InvalidRequest(const absl::Status& why) {
  return Failure(CallFailure::Kind::kInvalidRequest, std::string(why.message()));
}

CallFailure Cancelled(std::string why) { return Failure(CallFailure::Kind::kCancelled, std::move(why)); }

}  // namespace holdfast::quota
