#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/json/value.hpp"

namespace holdfast::simulator {

enum class Dialect { kResponses, kChat };

// "responses", "chat": as `when.path` in a script spells it.
std::string_view DialectName(Dialect dialect);

// What the simulator needs to know about one generation request.
struct GenerationRequest {
  Dialect dialect = Dialect::kResponses;
  std::string model;
  bool stream = false;
  bool include_usage = false;                     // chat: stream_options.include_usage
  std::optional<std::int64_t> max_output_tokens;  // or max_completion_tokens, or max_tokens
  std::int64_t chars = 0;                         // Unicode code points that the gate counts
  std::int64_t charge = 0;                        // max(max_output_tokens, floor(chars/4) + 2)
  std::int64_t input_items = 0;                   // a plain string counts as one
  std::string last_user;                          // the text of the last user message; parts are concatenated
  int step = 0;                                   // answers of the assistant after the last user message; see README.md
  std::string body_sha256;                        // lower-case hexadecimal
  boost::json::object echo;                       // responses: instructions, tools, …, which the answer repeats
};

// Counted are `instructions`, every text and refusal of message contents, arguments of calls and outputs of calls; not
// names, ids, roles, schemas, images, or JSON's own characters. INVALID_ARGUMENT names the field that a real upstream
// would refuse.
absl::StatusOr<GenerationRequest> ReadGenerationRequest(Dialect dialect, std::string_view body);

// The number of Unicode code points in valid UTF-8.
std::int64_t CodePoints(std::string_view utf8);

}  // namespace holdfast::simulator
