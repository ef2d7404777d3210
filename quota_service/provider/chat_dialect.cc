#include "quota_service/provider/chat_dialect.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <utility>

#include "quota_service/provider/chat_tap.h"
#include "quota_service/provider/request_fields.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;

// Many servers take only a string as content, so text is sent as one: its parts, and assistant messages that follow
// each other, are joined by line breaks.
void JoinText(const v1::Message& message, std::string* text) {
  for (const v1::Part& part : message.parts()) {
    const std::string& words = part.has_refusal() ? part.refusal() : part.text();
    if (words.empty()) continue;
    if (!text->empty()) text->push_back('\n');
    text->append(words);
  }
}

json::value UserContent(const v1::Message& message) {
  if (std::ranges::none_of(message.parts(), &v1::Part::has_image)) {
    std::string text;
    JoinText(message, &text);
    return json::value(text);
  }
  json::array content;
  for (const v1::Part& part : message.parts()) {
    if (part.has_text()) {
      content.push_back({{"type", "text"}, {"text", part.text()}});
      continue;
    }
    json::object image{{"url", ImageUrl(part.image())}};
    if (!part.image().detail().empty()) image["detail"] = part.image().detail();
    content.push_back({{"type", "image_url"}, {"image_url", std::move(image)}});
  }
  return content;
}

// Collects what the assistant said and called in one go into one message, as chat completions demand: the results must
// follow the message that holds their calls.
class MessageWriter {
 public:
  void Add(const v1::Item& item) {
    if (item.has_tool_call()) {
      const v1::ToolCall& call = item.tool_call();
      calls_.push_back({{"id", call.call_id()},
                        {"type", "function"},
                        {"function", {{"name", call.name()}, {"arguments", call.arguments()}}}});
    } else if (item.has_tool_result()) {
      Flush();
      const v1::ToolResult& result = item.tool_result();
      messages_.push_back({{"role", "tool"}, {"tool_call_id", result.call_id()}, {"content", result.output()}});
    } else if (item.has_message() && item.message().role() == v1::ROLE_ASSISTANT) {
      JoinText(item.message(), &said_);
    } else if (item.has_message()) {
      Flush();
      const bool user = item.message().role() == v1::ROLE_USER;
      messages_.push_back({{"role", user ? "user" : "system"}, {"content", UserContent(item.message())}});
    }
  }

  void AddInstructions(const std::string& text) { messages_.push_back({{"role", "system"}, {"content", text}}); }

  json::array Take() {
    Flush();
    return std::move(messages_);
  }

 private:
  void Flush() {
    if (said_.empty() && calls_.empty()) return;
    json::object message{{"role", "assistant"}, {"content", nullptr}};
    if (!said_.empty()) message["content"] = said_;
    if (!calls_.empty()) message["tool_calls"] = std::move(calls_);
    messages_.push_back(std::move(message));
    said_.clear();
    calls_ = json::array();
  }

  json::array messages_;
  std::string said_;
  json::array calls_;
};

json::array ToolsJson(const v1::GenerateRequest& request) {
  json::array tools;
  for (const v1::Tool& tool : request.tools()) {
    tools.push_back(
        {{"type", "function"},
         {"function",
          {{"name", tool.name()}, {"description", tool.description()}, {"parameters", ToolParameters(tool)}}}});
  }
  return tools;
}

json::object BodyJson(const v1::GenerateRequest& request, std::string_view model) {
  MessageWriter messages;
  if (!request.instructions().empty()) messages.AddInstructions(request.instructions());
  for (const v1::Item& item : request.items()) messages.Add(item);
  // What stays the same from turn to turn comes first: prompt caches match prefixes.
  json::object body{{"model", model}};
  if (!request.tools().empty()) body["tools"] = ToolsJson(request);
  body["messages"] = messages.Take();
  if (request.max_output_tokens() > 0) body["max_tokens"] = request.max_output_tokens();
  if (!request.reasoning_effort().empty()) body["reasoning_effort"] = request.reasoning_effort();
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  return body;
}

}  // namespace

absl::StatusOr<std::string> ChatDialect::BuildBody(const v1::GenerateRequest& request, std::string_view upstream_model,
                                                   std::string_view /*account*/) const {
  const absl::Status status = CheckExpressible(request);
  if (!status.ok()) return status;
  try {
    return json::serialize(BodyJson(request, upstream_model));
  } catch (const std::exception&) {
    return absl::InvalidArgumentError("items: too large to be written as JSON; shorten the conversation");
  }
}

std::unique_ptr<Tap> ChatDialect::NewTap(std::string_view account, EmitEvent emit) const {
  return std::make_unique<ChatTap>(account, std::move(emit));
}

}  // namespace holdfast::quota
