#include "common/prompt/prompt_characters.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

TEST(PromptCharacters, CountsInstructionsTextArgumentsAndResults) {
  v1::GenerateRequest request;
  request.set_instructions("rules");  // 5
  v1::Message* message = request.add_items()->mutable_message();
  message->set_role(v1::ROLE_USER);
  message->add_parts()->set_text("abc");                                 // 3
  message->add_parts()->set_text("de");                                  // 2
  message->add_parts()->set_refusal("no");                               // 2
  request.add_items()->mutable_tool_call()->set_arguments("{\"a\":1}");  // 7
  request.add_items()->mutable_tool_result()->set_output("output");      // 6
  EXPECT_EQ(CountPromptCharacters(request), 25);
}

TEST(PromptCharacters, CountsCodePointsAndNotBytes) {
  v1::GenerateRequest request;
  request.set_instructions("重构代码");                                       // 4
  request.add_items()->mutable_message()->add_parts()->set_text("a🙂é");   // 3
  request.add_items()->mutable_message()->add_parts()->set_text("👩\u200D💻");  // 3
  EXPECT_EQ(CountPromptCharacters(request), 10);
}

TEST(PromptCharacters, IgnoresNamesIdsSchemasImagesAndReasoning) {
  v1::GenerateRequest request;
  request.set_model("model");
  request.set_call_id("call");
  v1::Tool* tool = request.add_tools();
  tool->set_name("shell");
  tool->set_description("runs a command");
  tool->set_parameters("{\"type\":\"object\"}");
  v1::Message* message = request.add_items()->mutable_message();
  message->set_id("msg_1");
  message->add_parts()->mutable_image()->set_url("https://host/cat.png");
  v1::ToolCall* call = request.add_items()->mutable_tool_call();
  call->set_call_id("call_1");
  call->set_name("shell");
  request.add_items()->mutable_tool_result()->set_call_id("call_1");
  v1::Reasoning* reasoning = request.add_items()->mutable_reasoning();
  reasoning->set_encrypted_content("opaque");
  reasoning->add_summary("thought");
  EXPECT_EQ(CountPromptCharacters(request), 0);
}

}  // namespace
}  // namespace holdfast::quota
