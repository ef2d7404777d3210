#pragma once

#include <string_view>

#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::quota {

inline v1::Message* AddMessage(v1::GenerateRequest& request, v1::Role role, std::string_view text) {
  v1::Message* message = request.add_items()->mutable_message();
  message->set_role(role);
  message->add_parts()->set_text(std::string(text));
  return message;
}

inline void AddToolCall(v1::GenerateRequest& request, std::string_view call_id, std::string_view arguments) {
  v1::ToolCall* call = request.add_items()->mutable_tool_call();
  call->set_call_id(std::string(call_id));
  call->set_name("shell");
  call->set_arguments(std::string(arguments));
  call->set_id("fc_" + std::string(call_id));
}

inline void AddToolResult(v1::GenerateRequest& request, std::string_view call_id, std::string_view output) {
  v1::ToolResult* result = request.add_items()->mutable_tool_result();
  result->set_call_id(std::string(call_id));
  result->set_output(std::string(output));
}

inline void AddReasoning(v1::GenerateRequest& request, std::string_view origin, std::string_view encrypted) {
  v1::Reasoning* reasoning = request.add_items()->mutable_reasoning();
  reasoning->set_id("rs_1");
  reasoning->set_origin(std::string(origin));
  reasoning->set_encrypted_content(std::string(encrypted));
  reasoning->add_summary("Looked.");
}

// A turn of a coding agent: rules, question, reasoning, words, two calls, their results.
inline v1::GenerateRequest AgentTurn() {
  v1::GenerateRequest request;
  request.set_instructions("Be brief.");
  AddMessage(request, v1::ROLE_DEVELOPER, "Stay in /src.");
  AddMessage(request, v1::ROLE_USER, "List \"files\"");
  AddReasoning(request, "acme", "opaque==");
  AddMessage(request, v1::ROLE_ASSISTANT, "Looking.")->set_id("msg_1");
  AddToolCall(request, "c1", R"({"cmd":"ls"})");
  AddToolCall(request, "c2", "{}");
  AddToolResult(request, "c1", "a.cc\nb.cc");
  AddToolResult(request, "c2", "");
  v1::Tool* tool = request.add_tools();
  tool->set_name("shell");
  tool->set_description("Runs a command.");
  tool->set_parameters(R"({ "type": "object", "properties": {"cmd": {"type": "string"}} })");
  request.set_max_output_tokens(2000);
  request.set_reasoning_effort("low");
  return request;
}

}  // namespace holdfast::quota
