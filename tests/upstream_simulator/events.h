#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "boost/json/object.hpp"
#include "tests/upstream_simulator/charge.h"
#include "tests/upstream_simulator/ids.h"
#include "tests/upstream_simulator/script.h"

namespace holdfast::simulator {

// One event of a server-sent stream, as it goes over the wire.
struct Event {
  std::string bytes;
  std::optional<Part> delta;  // paced by event_delay_ms
  bool last = false;          // belongs to what end_without_completed withholds
};

struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t reasoning_tokens = 0;
};

// What both dialects write an answer from. The referents must outlive the call.
struct AnswerContext {
  const GenerationRequest& request;
  const Answer& answer;
  Usage usage;
  Ids ids;
  std::int64_t created_s;  // wall clock, seconds
};

// What the script names; for the rest input = floor(chars/4), cached 0, reasoning and output from their texts, four
// characters to a token, rounded up, output at least 1.
Usage UsageOf(const GenerationRequest& request, const Answer& answer);

// At most `count` non-empty pieces of nearly equal size, cut between code points.
std::vector<std::string_view> SplitText(std::string_view utf8, std::int64_t count);

// "data: …\n\n", with "event: name\n" before it unless the name is empty.
std::string SseFrame(std::string_view name, std::string_view data);

}  // namespace holdfast::simulator
