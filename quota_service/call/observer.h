#pragma once

#include <optional>

#include "quota_service/call/envelope.h"
#include "quota_service/call/outcome.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// Watches every call; metrics and log. Called on the loop.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void OnWaitAnnounced(const Envelope&, Duration /*wait*/) {}
  // `error`: of the first announced wait against the real one, in seconds; absent where nothing was announced.
  virtual void OnAdmitted(const Envelope&, Duration /*waited*/, std::optional<double> /*error*/) {}
  // An HTTP status, or 0 where none came.
  virtual void OnResponse(const Envelope&, int /*http_status*/) {}
  virtual void OnFirstOutput(const Envelope&, Duration /*since_sent*/) {}
  // `usage`: where the upstream told it before it failed; such tokens were made, and are paid for.
  virtual void OnAttemptFailed(const Envelope&, const UpstreamFailure&, const std::optional<TokenUsage>& /*usage*/) {}
  virtual void OnFinished(const Envelope&, const CallOutcome&, Duration /*since_start*/) {}
};

}  // namespace holdfast::quota
