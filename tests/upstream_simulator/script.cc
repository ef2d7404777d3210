#include "tests/upstream_simulator/script.h"

#include <cmath>

#include "absl/status/status.h"
#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"
#include "fmt/format.h"
#include "tests/upstream_simulator/field_reader.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxUnits = 1'000'000'000'000;
constexpr std::int64_t kMaxDelayMs = 86'400'000;
constexpr std::int64_t kMaxChunks = 100'000;

std::optional<LimitSetting> ReadLimit(FieldReader& parent, std::string_view key, const json::value& value) {
  if (value.is_null()) return std::nullopt;
  FieldReader reader(value, parent.Place(key));
  LimitSetting setting;
  double per_seconds = 60;
  std::size_t kind = 0;
  if (reader.Find("limit") == nullptr) reader.Fail("limit", "is required");
  reader.Integer("limit", 1, kMaxUnits, setting.limit.limit);
  reader.Number("per", 0.001, 1e7, per_seconds);
  reader.Choice("kind", {"continuous", "sliding", "fixed"}, kind);
  reader.Integer("used", 0, kMaxUnits, setting.used);
  parent.Take(reader.Finish());
  setting.limit.per_ns = std::llround(per_seconds * 1e9);
  setting.limit.kind = static_cast<WindowKind>(kind);
  return setting;
}

ToolCall ReadToolCall(FieldReader& parent, const json::value& value, std::string where) {
  FieldReader reader(value, std::move(where));
  ToolCall call;
  if (reader.Find("name") == nullptr) reader.Fail("name", "is required");
  reader.Text("name", call.name);
  const json::value* arguments = reader.Find("arguments");
  if (arguments == nullptr) {
    call.arguments = "{}";
  } else if (const json::string* text = arguments->if_string()) {
    call.arguments = *text;
  } else {
    call.arguments = json::serialize(*arguments);
  }
  parent.Take(reader.Finish());
  return call;
}

void ReadToolCalls(FieldReader& parent, std::vector<ToolCall>& calls) {
  const json::value* value = parent.Find("tool_calls");
  if (value == nullptr) return;
  if (!value->is_array()) {
    parent.Fail("tool_calls", "expected an array");
    return;
  }
  for (std::size_t i = 0; i < value->get_array().size(); ++i) {
    calls.push_back(ReadToolCall(parent, value->get_array()[i], fmt::format("{}[{}]", parent.Place("tool_calls"), i)));
  }
}

void ReadUsage(FieldReader& parent, UsageSetting& usage) {
  const json::value* value = parent.Find("usage");
  if (value == nullptr) return;
  FieldReader reader(*value, parent.Place("usage"));
  reader.Integer("input_tokens", 0, kMaxUnits, usage.input_tokens);
  reader.Integer("cached_tokens", 0, kMaxUnits, usage.cached_tokens);
  reader.Integer("output_tokens", 0, kMaxUnits, usage.output_tokens);
  reader.Integer("reasoning_tokens", 0, kMaxUnits, usage.reasoning_tokens);
  parent.Take(reader.Finish());
}

void ReadUsed(FieldReader& parent, std::string_view key, UsedSetting& used) {
  const json::value* value = parent.Find(key);
  if (value == nullptr) return;
  FieldReader reader(*value, parent.Place(key));
  reader.Integer("tokens", 0, kMaxUnits, used.tokens);
  reader.Integer("requests", 0, kMaxUnits, used.requests);
  parent.Take(reader.Finish());
}

Answer ReadAnswer(FieldReader& parent, const json::value& value, std::string where, bool conditional) {
  FieldReader reader(value, std::move(where));
  Answer answer;
  if (conditional) answer.when = ReadWhen(reader);
  reader.Text("text", answer.text);
  reader.Text("reasoning", answer.reasoning);
  ReadToolCalls(reader, answer.tool_calls);
  ReadUsage(reader, answer.usage);
  std::size_t finish = 0;
  reader.Choice("finish", {"stop", "length"}, finish);
  answer.cut_by_length = finish == 1;
  ReadUsed(reader, "set_used", answer.set_used);
  reader.Integer("delay_ms", 0, kMaxDelayMs, answer.delay_ms);
  reader.Integer("first_event_delay_ms", 0, kMaxDelayMs, answer.first_event_delay_ms);
  reader.Integer("event_delay_ms", 0, kMaxDelayMs, answer.event_delay_ms);
  reader.Integer("last_event_delay_ms", 0, kMaxDelayMs, answer.last_event_delay_ms);
  reader.Integer("chunks", 1, kMaxChunks, answer.chunks);
  answer.fault = ReadFault(reader);
  parent.Take(reader.Finish());
  return answer;
}

}  // namespace

absl::StatusOr<LimitsSetting> ReadLimits(const json::value& document, const std::string& where) {
  FieldReader reader(document, where);
  LimitsSetting limits;
  if (const json::value* tokens = reader.Find("tokens")) limits.tokens = ReadLimit(reader, "tokens", *tokens);
  if (const json::value* requests = reader.Find("requests")) limits.requests = ReadLimit(reader, "requests", *requests);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return limits;
}

absl::StatusOr<Script> ReadScript(const json::value& document) {
  FieldReader reader(document, "");
  Script script;
  script.otherwise.text = "OK.";
  if (const json::value* limits = reader.Find("limits")) {
    absl::StatusOr<LimitsSetting> read = ReadLimits(*limits, "limits");
    reader.Take(read.status());
    if (read.ok()) script.limits = *std::move(read);
  }
  ReadUsed(reader, "used_at_next_request", script.used_at_next_request);
  if (const json::value* answers = reader.Find("answers")) {
    if (!answers->is_array()) {
      reader.Fail("answers", "expected an array");
    } else {
      for (std::size_t i = 0; i < answers->get_array().size(); ++i) {
        script.answers.push_back(ReadAnswer(reader, answers->get_array()[i], fmt::format("answers[{}]", i), true));
      }
    }
  }
  if (const json::value* otherwise = reader.Find("default")) {
    script.otherwise = ReadAnswer(reader, *otherwise, "default", false);
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  for (std::optional<std::optional<LimitSetting>>* limit : {&script.limits.tokens, &script.limits.requests}) {
    if (*limit && **limit && !(**limit)->used) (**limit)->used = 0;
  }
  return script;
}

absl::StatusOr<Script> ParseScript(std::string_view text) {
  json::error_code error;
  const json::value document = json::parse(text, error);
  if (error) return absl::InvalidArgumentError(fmt::format("the script is not JSON: {}", error.message()));
  return ReadScript(document);
}

const Answer& ChooseAnswer(const Script& script, const GenerationRequest& request) {
  for (const Answer& answer : script.answers) {
    if (Matches(answer.when, request)) return answer;
  }
  return script.otherwise;
}

}  // namespace holdfast::simulator
