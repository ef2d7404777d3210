#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/json/value.hpp"
#include "tests/upstream_simulator/field_reader.h"
#include "tests/upstream_simulator/when.h"

namespace holdfast::simulator {

enum class FaultKind {
  kRateLimit,             // 429
  kRateLimitNoHeaders,    // 429_no_headers: the delay stands in the text alone
  kRateLimitBare,         // 429_bare: the delay stands nowhere
  kInsufficientQuota,     // insufficient_quota
  kTooLarge,              // too_large
  kContextLength,         // context_length
  kUnauthorized,          // 401
  kForbidden,             // 403
  kRedirect,              // redirect: 307 to `location`
  kStreamRateLimit,       // stream_429: a refusal inside a 200 stream
  kStreamError,           // stream_error: SSE `event: error` with a refusal's text
  kServerError,           // 500
  kUnavailable,           // 503
  kOverloadedStatus,      // 529
  kStreamQuota,           // stream_insufficient_quota: the same inside a 200 stream
  kStreamContextLength,   // stream_context_length
  kOverloaded,            // overloaded: response.failed inside a 200 stream
  kCut,                   // the TCP connection is reset in mid-stream
  kCutBeforeHeaders,      // cut_before_headers
  kNotHttp,               // not_http: what comes back is no HTTP
  kBrokenFraming,         // broken_framing: no chunk where one should begin
  kSilenceBeforeHeaders,  // silence_before_headers
  kSilence,               // nothing more is sent until the client goes
  kSilenceComments,       // silence_comments: nothing but SSE comments
  kEndWithoutCompleted,   // end_without_completed: a clean end of the stream without its last events
  kGarbage,               // a data event that is not JSON, then the rest of the stream
  kOversizedEvent,        // oversized_event: one of 17 MiB, then the rest of the stream
  kWrongType,             // wrong_type: the stream, called application/octet-stream
  kGarbageBody,           // garbage_body: 200 with text/html
  kJsonError200,          // json_error_200: an error object with status 200
};

// What a delta is a piece of.
enum class Part { kReasoning, kText, kArguments };

struct Fault {
  FaultKind kind = FaultKind::kUnavailable;
  std::optional<double> seconds;  // the delay that a refusal names; 1 where absent. 500, 503: Retry-After if present
  // How much of the stream goes out first: so many events, or half of the deltas of a part. Absent: it depends on the
  // kind. At most one of the two.
  std::optional<std::int64_t> after_events;
  std::optional<Part> after;
  std::string location;  // of `redirect`
};

std::string_view FaultName(FaultKind kind);

// True where the gate itself refuses, so that nothing is charged; all others happen behind the gate and cost the whole
// charge.
bool RefusesAtTheGate(FaultKind kind);

// Reads `fault` and what belongs to it; nothing where `fault` is absent.
std::optional<Fault> ReadFault(FieldReader& reader);

// The faults that the control face has pushed: of those that are for a request, the oldest.
class FaultQueue {
 public:
  void Push(const Fault& fault, std::int64_t count, When when = {});
  // The fault of this request, or null; Take uses it up.
  const Fault* For(const GenerationRequest& request) const;
  void Take(const GenerationRequest& request);
  void Clear() { queue_.clear(); }
  std::int64_t size() const;

 private:
  struct Entry {
    Fault fault;
    std::int64_t left;
    When when;
  };
  std::deque<Entry> queue_;
};

// {"fault":"503","count":3,"seconds":2,"after_events":1,"when":{"model":"o4-mini"}}
absl::Status PushFaults(const boost::json::value& document, FaultQueue& queue);

}  // namespace holdfast::simulator
