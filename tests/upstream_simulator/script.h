#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "boost/json/value.hpp"
#include "tests/upstream_simulator/charge.h"
#include "tests/upstream_simulator/faults.h"
#include "tests/upstream_simulator/limits.h"
#include "tests/upstream_simulator/when.h"

namespace holdfast::simulator {

struct ToolCall {
  std::string name;
  std::string arguments;  // JSON text; a script may give any string, so that broken arguments can be tested
};

// What a script says about usage. Absent: input from the counted characters, nothing cached, output from the answer's
// size.
struct UsageSetting {
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> cached_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<std::int64_t> reasoning_tokens;
};

struct Answer {
  When when;
  std::string text;
  std::string reasoning;
  std::vector<ToolCall> tool_calls;
  UsageSetting usage;
  bool cut_by_length = false;             // "finish": "length"
  UsedSetting set_used;                   // applied when the status line is written
  std::int64_t delay_ms = 0;              // before the status line
  std::int64_t first_event_delay_ms = 0;  // after the first event
  std::int64_t event_delay_ms = 0;        // before each delta
  std::int64_t last_event_delay_ms = 0;   // before the last events, once
  std::int64_t chunks = 4;                // deltas of the text
  std::optional<Fault> fault;
};

struct Script {
  LimitsSetting limits;
  UsedSetting used_at_next_request;
  std::vector<Answer> answers;
  Answer otherwise;  // "default"
};

// Strict: INVALID_ARGUMENT names the place of an unknown key or a bad value.
absl::StatusOr<Script> ParseScript(std::string_view text);
absl::StatusOr<Script> ReadScript(const boost::json::value& document);

// {"tokens":{"limit":200000,"per":60,"kind":"continuous","used":0},"requests":null}
absl::StatusOr<LimitsSetting> ReadLimits(const boost::json::value& document, const std::string& where);

// The first answer whose conditions hold. Stateless: the same request gets the same answer.
const Answer& ChooseAnswer(const Script& script, const GenerationRequest& request);

}  // namespace holdfast::simulator
