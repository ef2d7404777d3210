#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"

namespace holdfast::quota {

// What an upstream's failure means for the call, whatever the provider calls it.
enum class FailureClass {
  kRateLimited,      // a limit has no room now; waiting fixes it
  kTooLarge,         // larger than the limit itself; waiting never fixes it
  kQuotaExhausted,   // money or quota is gone
  kOverloaded,       // the upstream has no capacity, or failed inside (5xx)
  kContextOverflow,  // larger than the model's window
  kAuthentication,   // the upstream refuses our key
  kInvalidRequest,   // the request is wrong; sending it again changes nothing
  kTransport,        // reset, cut, stall, garbage
  kNoStream,         // a 200 that is neither a stream of events nor an error, as the page of a proxy is
  kUnusable,  // an answer that no attempt can use, though each may be paid for: redirected, no stream, too large, too
              // long
};

// How much of an account a refused key or an empty purse concerns.
enum class FailureScope {
  kRequest,  // this request: a smaller or another one may be taken
  kModel,    // every request for the model
  kAccount,  // every request
};

// The name in logs and metrics, for example "rate_limited".
const char* FailureClassName(FailureClass cls);

// Some providers limit input and output tokens apart, most of them both together (kTokens).
enum class Dimension { kTokens, kRequests, kConcurrency, kInputTokens, kOutputTokens };
// "tokens", "requests", "concurrent", "input_tokens", "output_tokens".
const char* DimensionName(Dimension dimension);

// What a refusal says about when to come back, and about the limit behind it. Absent: not said, or nonsense.
struct ServerHint {
  std::optional<Duration> retry_after;  // not negative, at most 31 days
  std::optional<WallTime> reset_at;     // a moment by the server's clock, where it names one instead of a delay
  std::optional<Dimension> dimension;
  std::optional<int64_t> limit;  // of `dimension`
  std::optional<int64_t> used;
  std::optional<int64_t> requested;
};

struct UpstreamFailure {
  FailureClass cls = FailureClass::kTransport;
  FailureScope scope = FailureScope::kRequest;  // wider only for kQuotaExhausted and kAuthentication
  int http_status = 0;                          // 0: no HTTP answer, or a failure inside a 200 stream
  std::string code;                             // the provider's, for example "rate_limit_exceeded"; may be empty
  std::string message;                          // for people: valid UTF-8, at most 2 KiB, without secrets
  ServerHint hint;
};

}  // namespace holdfast::quota
