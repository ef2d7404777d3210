#pragma once

#include "common/base/clock.h"
#include "quota_service/retry/backoff.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// What is known when a call's upstream exchange has failed. Nothing here is an absolute time.
struct RetryQuestion {
  const UpstreamFailure& failure;
  int attempt = 0;   // failures in a row of this call before this one, from 0; shapes the backoff, never ends it
  int of_class = 0;  // of them those right before this one that were of its class
  bool output_passed = false;  // the reader was given output of this attempt
  bool can_restart = false;    // the reader understands `Restarted`
  Duration waited{};           // by this call so far, in queues and backoffs
  Duration max_wait{};         // the caller's bound on that; the running of the call does not count
};

enum class RetryKind {
  kHold,     // requeue in the ledger, at the front; it pauses the limit and sends when there is room
  kBackOff,  // send again after a pause of the call's own, and under the retry budget
  kStop,     // end the call with the failure
};

enum class StopReason {
  kNone,           // it does not stop
  kPermanent,      // the failure is of a class that waiting does not fix
  kOutputPassed,   // output was passed to a reader that cannot take it back
  kWaitExhausted,  // the wait that is needed goes past max_wait
};

struct RetryDecision {
  RetryKind kind = RetryKind::kStop;
  StopReason stop = StopReason::kNone;
  // kHold: the least time until the limit can have room: what the server said, or a backoff where it said nothing.
  // kBackOff: the pause. kStop for kWaitExhausted: the wait that would have been needed (for the caller's RetryInfo).
  // Else zero.
  Duration after{};
};

// A page in the place of an answer may be a proxy's hiccup, or its maintenance; nobody tells, and if it is the upstream
// itself, each attempt is paid for. So it gets this many attempts, and the class kUnusable, which is the upstream's own
// for sure, gets one.
inline constexpr int kNoStreamAttempts = 3;

// Whether a failed exchange is tried again, and how. A rate limit is held, an overload or a broken transport backs off,
// a page in the place of an answer does so twice, everything else stops. Otherwise waiting is bounded by time alone
// (max_wait), never by a count of attempts; a call whose time is used up stops. After output was passed on, only a
// reader that can restart gets another attempt. A backoff is cut to the time that is left unless the server asked for
// more than that.
RetryDecision BackoffOrStop(const RetryQuestion& question, const BackoffPolicy& policy, const Uniform& uniform);

}  // namespace holdfast::quota
