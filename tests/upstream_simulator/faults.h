#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/json/value.hpp"
#include "tests/upstream_simulator/field_reader.h"

namespace holdfast::simulator {

enum class FaultKind {
  kRateLimit,            // 429
  kRateLimitNoHeaders,   // 429_no_headers: the delay stands in the text alone
  kRateLimitBare,        // 429_bare: the delay stands nowhere
  kInsufficientQuota,    // insufficient_quota
  kTooLarge,             // too_large
  kContextLength,        // context_length
  kUnauthorized,         // 401
  kStreamRateLimit,      // stream_429: a refusal inside a 200 stream
  kStreamError,          // stream_error: SSE `event: error` with a refusal's text
  kServerError,          // 500
  kUnavailable,          // 503
  kOverloaded,           // overloaded: response.failed inside a 200 stream
  kCut,                  // the TCP connection is reset in mid-stream
  kCutBeforeHeaders,     // cut_before_headers
  kSilence,              // nothing more is sent until the client goes
  kSilenceComments,      // silence_comments: nothing but SSE comments
  kEndWithoutCompleted,  // end_without_completed: a clean end of the stream without its last events
  kGarbage,              // a data event that is not JSON, then the rest of the stream
  kGarbageBody,          // garbage_body: 200 with text/html
  kJsonError200,         // json_error_200: an error object with status 200
};

struct Fault {
  FaultKind kind = FaultKind::kUnavailable;
  std::optional<double> seconds;  // the delay that a refusal names; 1 where absent. 500, 503: Retry-After if present
  std::optional<std::int64_t> after_events;  // how much of the stream goes out first; its default depends on the kind
};

std::string_view FaultName(FaultKind kind);

// True where the gate itself refuses, so that nothing is charged; all others happen behind the gate and cost the whole
// charge.
bool RefusesAtTheGate(FaultKind kind);

// Reads `fault`, `seconds` and `after_events`; nothing where `fault` is absent.
std::optional<Fault> ReadFault(FieldReader& reader);

// The faults that the control face has pushed, first in, first out.
class FaultQueue {
 public:
  void Push(const Fault& fault, std::int64_t count);
  // The fault of the next request; Pop takes it.
  const Fault* Next() const { return queue_.empty() ? nullptr : &queue_.front().fault; }
  void Pop();
  void Clear() { queue_.clear(); }
  std::int64_t size() const;

 private:
  struct Entry {
    Fault fault;
    std::int64_t left;
  };
  std::deque<Entry> queue_;
};

// {"fault":"503","count":3,"seconds":2,"after_events":1}
absl::Status PushFaults(const boost::json::value& document, FaultQueue& queue);

}  // namespace holdfast::simulator
