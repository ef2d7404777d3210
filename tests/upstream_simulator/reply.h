#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/upstream_simulator/events.h"
#include "tests/upstream_simulator/faults.h"
#include "tests/upstream_simulator/limits.h"

namespace holdfast::simulator {

enum class Ending {
  kWhole,     // the answer is complete; the connection stays open
  kShort,     // the stream ends cleanly, but without its last events
  kReset,     // the TCP connection is reset
  kClose,     // the TCP connection is closed, whatever was promised
  kSilence,   // nothing more until the client goes
  kComments,  // ": ping" every 100 ms until the client goes
};

// What goes over the wire, and when: everything that the server needs to know.
struct Reply {
  unsigned status = 200;
  bool send_headers = true;  // false: not even the status line
  Headers headers;           // apart from content-type and framing
  std::string content_type = "application/json";
  bool stream = false;
  std::vector<Event> events;            // of a stream
  std::string body;                     // of anything else
  std::optional<std::size_t> body_cut;  // so many bytes of `body` are sent, though all are promised
  std::int64_t first_event_delay_ms = 0;
  std::int64_t event_delay_ms = 0;
  std::int64_t last_event_delay_ms = 0;
  std::string raw;  // at the end, as it is: neither header nor chunk
  Ending ending = Ending::kWhole;
};

// {"error": …} with this status.
Reply ErrorReply(unsigned status, const boost::json::object& error);

// A 429 in OpenAI's words.
Reply RefusalReply(const Refusal& refusal, std::string_view model);

// A 401 that shows the key of an Authorization header as OpenAI shows it: masked in the middle.
Reply UnauthorizedReply(std::string_view authorization);

// The scripted answer, complete.
Reply AnswerReply(const AnswerContext& context);

// The scripted answer, spoilt by `fault`. `pretended` is the refusal that rate-limit faults word. A fault of streams
// that meets a plain request becomes its nearest kin: a refusal or overload becomes a 429 or 503, a cut falls into the
// middle of the body.
Reply FaultReply(const Fault& fault, const AnswerContext& context, const Refusal& pretended);

}  // namespace holdfast::simulator
