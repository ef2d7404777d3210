#include "tests/upstream_simulator/chat_answer.h"

#include "boost/json/array.hpp"
#include "boost/json/serialize.hpp"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::int64_t kArgumentChunks = 3;
constexpr std::int64_t kReasoningChunks = 2;

json::object UsageObject(const Usage& usage) {
  return {{"prompt_tokens", usage.input_tokens},
          {"completion_tokens", usage.output_tokens},
          {"total_tokens", usage.input_tokens + usage.output_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}, {"audio_tokens", 0}}}};
}

std::string_view FinishReason(const Answer& answer) {
  if (answer.cut_by_length) return "length";
  return answer.tool_calls.empty() ? "stop" : "tool_calls";
}

json::object Head(const AnswerContext& context, std::string_view object) {
  return {{"id", context.ids.Item("chatcmpl-")}, {"object", object},          {"created", context.created_s},
          {"model", context.request.model},      {"service_tier", "default"}, {"system_fingerprint", "fp_simulator"}};
}

class Writer {
 public:
  explicit Writer(const AnswerContext& context) : context_(context) {}

  std::vector<Event> Write() {
    const Answer& answer = context_.answer;
    json::object first{{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
    if (answer.tool_calls.empty() || !answer.text.empty()) first["content"] = "";
    Delta(std::move(first), nullptr);
    for (const std::string_view piece : SplitText(answer.reasoning, kReasoningChunks)) {
      Delta({{"reasoning_content", piece}}, nullptr, Part::kReasoning);
    }
    for (const std::string_view piece : SplitText(answer.text, answer.chunks)) {
      Delta({{"content", piece}}, nullptr, Part::kText);
    }
    for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) ToolCallChunks(answer.tool_calls[i], i);
    Delta({}, json::string(FinishReason(answer)));
    events_.back().last = true;
    if (context_.request.include_usage) {
      json::object chunk = Head(context_, "chat.completion.chunk");
      chunk["choices"] = json::array();
      chunk["usage"] = UsageObject(context_.usage);
      events_.push_back({SseFrame("", json::serialize(chunk)), std::nullopt, true});
    }
    events_.push_back({SseFrame("", "[DONE]"), std::nullopt, true});
    return std::move(events_);
  }

 private:
  void Delta(json::object delta, json::value finish, std::optional<Part> part = std::nullopt) {
    json::object chunk = Head(context_, "chat.completion.chunk");
    json::object choice{{"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}};
    choice["finish_reason"] = std::move(finish);
    chunk["choices"].emplace_array().push_back(std::move(choice));
    if (context_.request.include_usage) chunk["usage"] = nullptr;
    events_.push_back({SseFrame("", json::serialize(chunk)), part, false});
  }

  void ToolCallDelta(json::object call, std::optional<Part> part = std::nullopt) {
    json::object delta;
    delta["tool_calls"].emplace_array().push_back(std::move(call));
    Delta(std::move(delta), nullptr, part);
  }

  void ToolCallChunks(const ToolCall& call, std::size_t index) {
    ToolCallDelta({{"index", index},
                   {"id", context_.ids.Call(index)},
                   {"type", "function"},
                   {"function", {{"name", call.name}, {"arguments", ""}}}});
    for (const std::string_view piece : SplitText(call.arguments, kArgumentChunks)) {
      json::object function{{"arguments", piece}};
      ToolCallDelta({{"index", index}, {"function", std::move(function)}}, Part::kArguments);
    }
  }

  const AnswerContext& context_;
  std::vector<Event> events_;
};

}  // namespace

std::vector<Event> ChatStream(const AnswerContext& context) { return Writer(context).Write(); }

std::string ChatBody(const AnswerContext& context) {
  const Answer& answer = context.answer;
  json::object message{{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  if (answer.tool_calls.empty() || !answer.text.empty()) message["content"] = answer.text;
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
    if (i == 0) message["tool_calls"].emplace_array();
    const ToolCall& call = answer.tool_calls[i];
    message["tool_calls"].get_array().push_back(
        json::object{{"id", context.ids.Call(i)},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  json::object choice{{"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}};
  choice["finish_reason"] = FinishReason(answer);
  json::object body = Head(context, "chat.completion");
  body["choices"].emplace_array().push_back(std::move(choice));
  body["usage"] = UsageObject(context.usage);
  return json::serialize(body);
}

}  // namespace holdfast::simulator
