#include "quota_service/estimate/prompt_profile.h"

#include <gtest/gtest.h>

#include <string>

#include "common/prompt/prompt_characters.h"

namespace holdfast::quota {
namespace {

v1::GenerateRequest Sample() {
  v1::GenerateRequest request;
  request.set_instructions("Be brief. 简短。");
  v1::Item* asked = request.add_items();
  asked->mutable_message()->set_role(v1::ROLE_USER);
  asked->mutable_message()->add_parts()->set_text("List the files.");
  v1::ToolCall* call = request.add_items()->mutable_tool_call();
  call->set_call_id("c1");
  call->set_name("shell");
  call->set_arguments(R"({"command": "ls -l"})");
  request.add_items()->mutable_tool_result()->set_output("total 0\n");
  return request;
}

TEST(PromptProfile, CountsTheGatesCharacters) {
  EXPECT_EQ(ProfilePrompt(Sample(), "m").characters, CountPromptCharacters(Sample()));
}

TEST(PromptProfile, ToolsAreReadByTheModelThoughTheGateDoesNotCountThem) {
  v1::GenerateRequest request = Sample();
  const PromptProfile without = ProfilePrompt(request, "m");
  v1::Tool* tool = request.add_tools();
  tool->set_name("shell");
  tool->set_description("Runs a command in the workspace and returns what it prints.");
  tool->set_parameters(R"({"type": "object", "properties": {"command": {"type": "string"}}})");
  const PromptProfile with = ProfilePrompt(request, "m");
  EXPECT_EQ(with.characters, without.characters);
  EXPECT_GT(with.shape.text, without.shape.text + 20);
}

TEST(PromptProfile, ImagesCostTokensAndNoCharacters) {
  v1::GenerateRequest request = Sample();
  const PromptProfile without = ProfilePrompt(request, "gpt-4o");
  v1::Image* image = request.mutable_items(0)->mutable_message()->add_parts()->mutable_image();
  image->set_media_type("image/png");
  image->set_data(std::string("\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x04\0\0\0\x04\0", 24) + std::string(300'000, 'x'));
  PromptProfile with = ProfilePrompt(request, "gpt-4o");
  EXPECT_EQ(with.characters, without.characters);
  EXPECT_EQ(with.shape.text, without.shape.text);
  EXPECT_EQ(with.shape.images, 765);
  EXPECT_EQ(with.shape.images_most, 765);
  image->set_url("https://example.com/a.png");
  with = ProfilePrompt(request, "gpt-4o");
  EXPECT_EQ(with.shape.images, 765);
  EXPECT_EQ(with.shape.images_most, 1445);
  image->set_detail("low");
  EXPECT_EQ(ProfilePrompt(request, "gpt-4o").shape.images_most, 85);
}

}  // namespace
}  // namespace holdfast::quota
