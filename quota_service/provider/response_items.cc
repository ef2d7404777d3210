#include "quota_service/provider/response_items.h"

#include <boost/json/array.hpp>
#include <string>

#include "quota_service/provider/json_read.h"

namespace holdfast::quota {
namespace {

std::optional<v1::Item> ReadMessage(const boost::json::value* item, std::string_view id) {
  v1::Item read;
  v1::Message* message = read.mutable_message();
  message->set_role(v1::ROLE_ASSISTANT);
  message->set_id(std::string(id));
  for (const boost::json::value& part : FindArray(item, "content")) {
    const std::string_view type = FindText(&part, "type");
    if (type == "output_text" && !FindText(&part, "text").empty()) {
      message->add_parts()->set_text(std::string(FindText(&part, "text")));
    } else if (type == "refusal" && !FindText(&part, "refusal").empty()) {
      message->add_parts()->set_refusal(std::string(FindText(&part, "refusal")));
    }
  }
  // An empty message would be refused when the conversation is sent again.
  if (message->parts().empty()) return std::nullopt;
  return read;
}

v1::Item ReadReasoning(const boost::json::value* item, std::string_view id, std::string_view account) {
  v1::Item read;
  v1::Reasoning* reasoning = read.mutable_reasoning();
  reasoning->set_id(std::string(id));
  reasoning->set_origin(std::string(account));
  reasoning->set_encrypted_content(std::string(FindText(item, "encrypted_content")));
  // Open models tell their reasoning itself, as content, instead of a summary.
  for (const std::string_view key : {"summary", "content"}) {
    if (reasoning->summary_size() > 0) break;
    for (const boost::json::value& part : FindArray(item, key)) {
      const std::string_view text = FindText(&part, "text");
      if (!text.empty()) reasoning->add_summary(std::string(text));
    }
  }
  return read;
}

std::optional<v1::Item> ReadToolCall(const boost::json::value* item, std::string_view id) {
  if (FindText(item, "status") == "incomplete") return std::nullopt;
  v1::Item read;
  v1::ToolCall* call = read.mutable_tool_call();
  const std::string_view call_id = FindText(item, "call_id");
  const std::string_view arguments = FindText(item, "arguments");
  call->set_id(std::string(id));
  call->set_call_id(std::string(call_id.empty() ? id : call_id));
  call->set_name(std::string(FindText(item, "name")));
  call->set_arguments(std::string(arguments.empty() ? "{}" : arguments));
  return read;
}

}  // namespace

std::optional<v1::Item> ReadResponseItem(const boost::json::value* item, std::string_view id,
                                         std::string_view account) {
  const std::string_view own_id = FindText(item, "id");
  if (!own_id.empty()) id = own_id;
  const std::string_view type = FindText(item, "type");
  if (type == "message") return ReadMessage(item, id);
  if (type == "reasoning") return ReadReasoning(item, id, account);
  if (type == "function_call") return ReadToolCall(item, id);
  return std::nullopt;
}

}  // namespace holdfast::quota
