#include "tests/upstream_simulator/responses_answer.h"

#include "boost/json/array.hpp"
#include "boost/json/serialize.hpp"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::int64_t kArgumentChunks = 3;
constexpr std::int64_t kSummaryChunks = 2;

json::object UsageObject(const Usage& usage) {
  return {{"input_tokens", usage.input_tokens},
          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"output_tokens", usage.output_tokens},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
          {"total_tokens", usage.input_tokens + usage.output_tokens}};
}

json::object ResponseObject(const AnswerContext& context, std::string_view status) {
  json::object response{{"id", context.ids.Item("resp_")},
                        {"object", "response"},
                        {"created_at", context.created_s},
                        {"status", status},
                        {"error", nullptr},
                        {"incomplete_details", nullptr},
                        {"instructions", nullptr},
                        {"max_output_tokens", nullptr},
                        {"model", context.request.model},
                        {"output", json::array()},
                        {"parallel_tool_calls", true},
                        {"previous_response_id", nullptr},
                        {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
                        {"store", true},
                        {"temperature", 1.0},
                        {"text", {{"format", {{"type", "text"}}}}},
                        {"tool_choice", "auto"},
                        {"tools", json::array()},
                        {"top_p", 1.0},
                        {"truncation", "disabled"},
                        {"usage", nullptr},
                        {"user", nullptr},
                        {"metadata", json::object()}};
  if (context.request.max_output_tokens) response["max_output_tokens"] = *context.request.max_output_tokens;
  for (const json::key_value_pair& member : context.request.echo) response[member.key()] = member.value();
  return response;
}

json::object TextPart(std::string_view text) {
  return {{"type", "output_text"}, {"annotations", json::array()}, {"logprobs", json::array()}, {"text", text}};
}

// Writes the events in order and remembers the items that they complete.
class Writer {
 public:
  explicit Writer(const AnswerContext& context) : context_(context) {}

  std::vector<Event> Write() {
    Emit("response.created", {{"response", ResponseObject(context_, "in_progress")}});
    Emit("response.in_progress", {{"response", ResponseObject(context_, "in_progress")}});
    const Answer& answer = context_.answer;
    if (!answer.reasoning.empty()) Reasoning(answer.reasoning);
    if (!answer.text.empty()) Message(answer.text);
    for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) FunctionCall(answer.tool_calls[i], i);
    const bool cut = answer.cut_by_length;
    Emit(cut ? "response.incomplete" : "response.completed", {{"response", Finished()}});
    events_.back().last = true;
    return std::move(events_);
  }

  json::object Finished() const {
    const bool cut = context_.answer.cut_by_length;
    json::object response = ResponseObject(context_, cut ? "incomplete" : "completed");
    if (cut) response["incomplete_details"] = json::object{{"reason", "max_output_tokens"}};
    response["output"] = output_;
    response["usage"] = UsageObject(context_.usage);
    return response;
  }

 private:
  void Emit(std::string_view type, json::object fields, std::optional<Part> delta = std::nullopt) {
    json::object data{{"type", type}, {"sequence_number", events_.size()}};
    data.insert(fields.begin(), fields.end());
    events_.push_back({SseFrame(type, json::serialize(data)), delta, false});
  }

  void Added(const json::object& item) {
    Emit("response.output_item.added", {{"output_index", output_.size()}, {"item", item}});
  }

  void Done(json::object item) {
    Emit("response.output_item.done", {{"output_index", output_.size()}, {"item", item}});
    output_.push_back(std::move(item));
  }

  void Reasoning(std::string_view summary) {
    const std::string id = context_.ids.Item("rs_");
    json::object item{
        {"id", id}, {"type", "reasoning"}, {"summary", json::array()}, {"encrypted_content", context_.ids.Opaque()}};
    Added(item);
    const json::object place{{"item_id", id}, {"output_index", output_.size()}, {"summary_index", 0}};
    const json::object part{{"type", "summary_text"}, {"text", summary}};
    EmitAt("response.reasoning_summary_part.added", place, "part",
           json::object{{"type", "summary_text"}, {"text", ""}});
    for (const std::string_view piece : SplitText(summary, kSummaryChunks)) {
      EmitAt("response.reasoning_summary_text.delta", place, "delta", json::string(piece));
    }
    EmitAt("response.reasoning_summary_text.done", place, "text", json::string(summary));
    EmitAt("response.reasoning_summary_part.done", place, "part", part);
    item["summary"] = json::array{part};
    Done(std::move(item));
  }

  void Message(std::string_view text) {
    const std::string id = context_.ids.Item("msg_");
    json::object item{
        {"id", id}, {"type", "message"}, {"status", "in_progress"}, {"role", "assistant"}, {"content", json::array()}};
    Added(item);
    const json::object place{{"item_id", id}, {"output_index", output_.size()}, {"content_index", 0}};
    EmitAt("response.content_part.added", place, "part", TextPart(""));
    for (const std::string_view piece : SplitText(text, context_.answer.chunks)) {
      EmitAt("response.output_text.delta", place, "delta", json::string(piece));
    }
    EmitAt("response.output_text.done", place, "text", json::string(text));
    EmitAt("response.content_part.done", place, "part", TextPart(text));
    item["status"] = context_.answer.cut_by_length ? "incomplete" : "completed";
    item["content"].emplace_array().push_back(TextPart(text));
    Done(std::move(item));
  }

  void FunctionCall(const ToolCall& call, std::size_t index) {
    const std::string id = context_.ids.Item("fc_", index);
    json::object item{{"id", id},
                      {"type", "function_call"},
                      {"status", "in_progress"},
                      {"arguments", ""},
                      {"call_id", context_.ids.Call(index)},
                      {"name", call.name}};
    Added(item);
    const json::object place{{"item_id", id}, {"output_index", output_.size()}};
    for (const std::string_view piece : SplitText(call.arguments, kArgumentChunks)) {
      EmitAt("response.function_call_arguments.delta", place, "delta", json::string(piece));
    }
    EmitAt("response.function_call_arguments.done", place, "arguments", json::string(call.arguments));
    item["status"] = "completed";
    item["arguments"] = call.arguments;
    Done(std::move(item));
  }

  void EmitAt(std::string_view type, json::object place, std::string_view key, json::value value) {
    place[key] = std::move(value);
    std::optional<Part> delta;
    if (type == "response.reasoning_summary_text.delta") delta = Part::kReasoning;
    if (type == "response.output_text.delta") delta = Part::kText;
    if (type == "response.function_call_arguments.delta") delta = Part::kArguments;
    Emit(type, std::move(place), delta);
  }

  const AnswerContext& context_;
  std::vector<Event> events_;
  json::array output_;
};

}  // namespace

std::vector<Event> ResponsesStream(const AnswerContext& context) { return Writer(context).Write(); }

std::string ResponsesBody(const AnswerContext& context) {
  Writer writer(context);
  writer.Write();
  return json::serialize(writer.Finished());
}

Event ResponsesFailed(const AnswerContext& context, const json::object& error, std::size_t sequence) {
  json::object response = ResponseObject(context, "failed");
  response["error"] = json::object{{"code", error.at("code")}, {"message", error.at("message")}};
  const json::object data{
      {"type", "response.failed"}, {"sequence_number", sequence}, {"response", std::move(response)}};
  return {SseFrame("response.failed", json::serialize(data)), std::nullopt, false};
}

}  // namespace holdfast::simulator
