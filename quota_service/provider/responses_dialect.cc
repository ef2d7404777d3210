#include "quota_service/provider/responses_dialect.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <utility>

#include "quota_service/provider/request_fields.h"
#include "quota_service/provider/responses_tap.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;

std::string_view RoleName(v1::Role role) {
  if (role == v1::ROLE_ASSISTANT) return "assistant";
  return role == v1::ROLE_DEVELOPER ? "developer" : "user";
}

json::object PartJson(const v1::Part& part, v1::Role role) {
  if (part.has_refusal()) return {{"type", "refusal"}, {"refusal", part.refusal()}};
  if (part.has_text())
    return {{"type", role == v1::ROLE_ASSISTANT ? "output_text" : "input_text"}, {"text", part.text()}};
  json::object image{{"type", "input_image"}, {"image_url", ImageUrl(part.image())}};
  if (!part.image().detail().empty()) image["detail"] = part.image().detail();
  return image;
}

json::object MessageJson(const v1::Message& message) {
  json::array content;
  for (const v1::Part& part : message.parts()) content.push_back(PartJson(part, message.role()));
  return {{"type", "message"}, {"role", RoleName(message.role())}, {"content", std::move(content)}};
}

json::object ReasoningJson(const v1::Reasoning& reasoning) {
  json::array summary;
  for (const std::string& text : reasoning.summary()) summary.push_back({{"type", "summary_text"}, {"text", text}});
  json::object object{{"type", "reasoning"}};
  if (!reasoning.id().empty()) object["id"] = reasoning.id();
  object["summary"] = std::move(summary);
  object["encrypted_content"] = reasoning.encrypted_content();
  return object;
}

// The API refuses reasoning without the output that it led to (an answer that was cut inside its reasoning leaves such
// an item).
bool LedToOutput(const v1::GenerateRequest& request, int index) {
  for (int i = index + 1; i < request.items_size(); ++i) {
    const v1::Item& item = request.items(i);
    if (item.has_reasoning()) continue;
    return item.has_tool_call() || (item.has_message() && item.message().role() == v1::ROLE_ASSISTANT);
  }
  return false;
}

json::array InputJson(const v1::GenerateRequest& request, std::string_view account) {
  json::array input;
  for (int i = 0; i < request.items_size(); ++i) {
    const v1::Item& item = request.items(i);
    if (item.has_message()) {
      input.push_back(MessageJson(item.message()));
    } else if (item.has_reasoning()) {
      const v1::Reasoning& reasoning = item.reasoning();
      const bool readable = !account.empty() && reasoning.origin() == account && !reasoning.encrypted_content().empty();
      if (readable && LedToOutput(request, i)) input.push_back(ReasoningJson(reasoning));
    } else if (item.has_tool_call()) {
      const v1::ToolCall& call = item.tool_call();
      input.push_back({{"type", "function_call"},
                       {"call_id", call.call_id()},
                       {"name", call.name()},
                       {"arguments", call.arguments()}});
    } else {
      const v1::ToolResult& result = item.tool_result();
      input.push_back({{"type", "function_call_output"}, {"call_id", result.call_id()}, {"output", result.output()}});
    }
  }
  return input;
}

json::array ToolsJson(const v1::GenerateRequest& request) {
  json::array tools;
  for (const v1::Tool& tool : request.tools()) {
    tools.push_back({{"type", "function"},
                     {"name", tool.name()},
                     {"description", tool.description()},
                     {"parameters", ToolParameters(tool)},
                     {"strict", false}});
  }
  return tools;
}

// OpenAI's models that do not reason answer `include: reasoning.encrypted_content` with 400 "Encrypted content is not
// supported with this model".
bool KnownNotToReason(std::string_view model) {
  constexpr std::array<std::string_view, 4> kPrefixes{"gpt-3.5", "gpt-4", "gpt-5-chat", "chatgpt-"};
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return model.starts_with(prefix); });
}

json::object BodyJson(const v1::GenerateRequest& request, std::string_view model, std::string_view account) {
  // What stays the same from turn to turn comes first: prompt caches match prefixes.
  json::object body{{"model", model}};
  if (!request.instructions().empty()) body["instructions"] = request.instructions();
  if (!request.tools().empty()) {
    body["tools"] = ToolsJson(request);
    body["parallel_tool_calls"] = true;
  }
  body["input"] = InputJson(request, account);
  if (request.max_output_tokens() > 0) body["max_output_tokens"] = request.max_output_tokens();
  if (!request.reasoning_effort().empty()) {
    body["reasoning"] = {{"effort", request.reasoning_effort()}, {"summary", "auto"}};
  }
  if (!request.reasoning_effort().empty() || !KnownNotToReason(model)) {
    body["include"] = json::array{"reasoning.encrypted_content"};
  }
  body["store"] = false;
  body["stream"] = true;
  return body;
}

}  // namespace

absl::StatusOr<std::string> ResponsesDialect::BuildBody(const v1::GenerateRequest& request,
                                                        std::string_view upstream_model,
                                                        std::string_view account) const {
  const absl::Status status = CheckExpressible(request);
  if (!status.ok()) return status;
  try {
    return json::serialize(BodyJson(request, upstream_model, account));
  } catch (const std::exception&) {
    return absl::InvalidArgumentError("items: too large to be written as JSON; shorten the conversation");
  }
}

std::unique_ptr<Tap> ResponsesDialect::NewTap(std::string_view account, EmitEvent emit) const {
  return std::make_unique<ResponsesTap>(account, std::move(emit));
}

}  // namespace holdfast::quota
