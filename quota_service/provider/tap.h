#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "quota_service/retry/failure.h"
#include "quota_service/retry/rate_limit_headers.h"
#include "quota_service/upstream/sse_parser.h"

namespace holdfast::quota {

// What an upstream event means for the call that it belongs to.
enum class EventClass {
  kBeforeOutput,  // nothing for the caller yet: created, in progress, keep-alives, unknown kinds
  kOutput,        // the caller has seen something that a new attempt would contradict
  kDone,          // the answer is complete
  kFailed,        // the upstream says that it failed; `failure` says how
};

// Tokens as the provider counted them.
struct TokenUsage {
  int64_t input = 0;  // cached input included
  int64_t cached_input = 0;
  int64_t output = 0;  // reasoning included
  int64_t reasoning = 0;
};

struct Verdict {
  EventClass cls = EventClass::kBeforeOutput;
  std::optional<TokenUsage> usage;         // as soon as the provider tells it, with whatever event
  std::optional<UpstreamFailure> failure;  // exactly when kFailed
  bool cut = false;                        // kDone, but the answer reached an output cap
};

// Listens to the answer to one attempt, an event stream as a rule, and classes each event. Implementations also pass
// the output on to their caller. An event that cannot be understood at all (not JSON) is kFailed with kTransport.
class Tap {
 public:
  virtual ~Tap() = default;
  // Before all others, of whatever answer.
  virtual void OnHeaders(int /*http_status*/, const HttpHeaders& /*headers*/) {}
  virtual Verdict OnEvent(const SseEvent& event) = 0;
  // The stream ended without kDone or kFailed: kDone where this dialect allows that, else kFailed with kTransport.
  virtual Verdict OnEndOfStream() = 0;
  // An answer of status 2xx that is no stream of events: kDone or kFailed. Absent: this is none that the caller can
  // use, and is classed as an error answer.
  virtual std::optional<Verdict> OnWholeAnswer(std::string_view /*body*/) { return std::nullopt; }
  // How large such an answer may be, in bytes; 0: none is expected.
  virtual size_t most_whole_bytes() const { return 0; }
};

}  // namespace holdfast::quota
