#include "quota_service/provider/responses_dialect.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "tests/quota_service/provider/request_samples.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;

json::value Body(const v1::GenerateRequest& request, std::string_view model = "o4-mini",
                 std::string_view account = "acme") {
  const auto body = ResponsesDialect().BuildBody(request, model, account);
  EXPECT_TRUE(body.ok()) << body.status();
  return json::parse(body.value_or("null"));
}

json::value InputOf(const v1::GenerateRequest& request, std::string_view account = "acme") {
  return Body(request, "o4-mini", account).at("input");
}

TEST(ResponsesDialect, WritesAnAgentsTurnByteForByte) {
  const auto body = ResponsesDialect().BuildBody(AgentTurn(), "o4-mini", "acme");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(
      *body,
      R"({"model":"o4-mini","instructions":"Be brief.",)"
      R"("tools":[{"type":"function","name":"shell","description":"Runs a command.",)"
      R"("parameters":{"type":"object","properties":{"cmd":{"type":"string"}}},"strict":false}],"parallel_tool_calls":true,)"
      R"("input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"Stay in /src."}]},)"
      R"({"type":"message","role":"user","content":[{"type":"input_text","text":"List \"files\""}]},)"
      R"({"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Looked."}],"encrypted_content":"opaque=="},)"
      R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"Looking."}]},)"
      R"({"type":"function_call","call_id":"c1","name":"shell","arguments":"{\"cmd\":\"ls\"}"},)"
      R"({"type":"function_call","call_id":"c2","name":"shell","arguments":"{}"},)"
      R"({"type":"function_call_output","call_id":"c1","output":"a.cc\nb.cc"},)"
      R"({"type":"function_call_output","call_id":"c2","output":""}],)"
      R"("max_output_tokens":2000,"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"],)"
      R"("store":false,"stream":true})");
}

TEST(ResponsesDialect, LeavesOutWhatTheRequestDoesNotSay) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hi");
  const json::object body = Body(request).as_object();
  for (const char* key : {"instructions", "tools", "parallel_tool_calls", "max_output_tokens", "reasoning"}) {
    EXPECT_FALSE(body.contains(key)) << key;
  }
  EXPECT_EQ(body.at("store"), json::value(false));
  EXPECT_EQ(body.at("stream"), json::value(true));
  EXPECT_EQ(body.at("include"), json::parse(R"(["reasoning.encrypted_content"])"));
}

TEST(ResponsesDialect, DoesNotAskModelsThatNeverReasonForEncryptedReasoning) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hi");
  for (const char* model : {"gpt-4o-mini", "gpt-4.1", "chatgpt-4o-latest"})
    EXPECT_FALSE(Body(request, model).as_object().contains("include"));
  for (const char* model : {"o3", "gpt-5.5", "my-deployment"})
    EXPECT_TRUE(Body(request, model).as_object().contains("include"));
  request.set_reasoning_effort("high");
  EXPECT_TRUE(Body(request, "gpt-4o-mini").as_object().contains("include"));
}

TEST(ResponsesDialect, SendsReasoningOnlyToTheAccountThatMadeIt) {
  const auto kinds = [](const json::value& input) {
    std::string text;
    for (const json::value& item : input.as_array()) text += std::string(item.at("type").as_string().c_str()) + " ";
    return text;
  };
  v1::GenerateRequest request;
  AddReasoning(request, "acme", "opaque");
  AddToolCall(request, "c1", "{}");
  EXPECT_EQ(kinds(InputOf(request, "acme")), "reasoning function_call ");
  EXPECT_EQ(kinds(InputOf(request, "other")), "function_call ");
  request.mutable_items(0)->mutable_reasoning()->clear_origin();
  EXPECT_EQ(kinds(InputOf(request, "acme")), "function_call ");
  EXPECT_EQ(kinds(InputOf(request, "")), "function_call ");
}

TEST(ResponsesDialect, DropsReasoningWithoutEncryptedContentOrWithoutTheOutputThatItLedTo) {
  v1::GenerateRequest request;
  AddReasoning(request, "acme", "");
  AddToolCall(request, "c1", "{}");
  EXPECT_EQ(InputOf(request).as_array().size(), 1u);
  AddReasoning(request, "acme", "cut short");
  AddMessage(request, v1::ROLE_USER, "go on");
  AddReasoning(request, "acme", "last");
  EXPECT_EQ(InputOf(request).as_array().size(), 2u);
}

TEST(ResponsesDialect, SendsImagesByUrlAndAsDataUrls) {
  v1::GenerateRequest request;
  v1::Message* message = AddMessage(request, v1::ROLE_USER, "see");
  message->add_parts()->mutable_image()->set_url("https://host/a.png");
  v1::Image* image = message->add_parts()->mutable_image();
  image->set_data(std::string("\x00\xff\x10", 3));
  image->set_media_type("image/png");
  image->set_detail("low");
  EXPECT_EQ(InputOf(request).at(0).at("content"), json::parse(R"([{"type":"input_text","text":"see"},
      {"type":"input_image","image_url":"https://host/a.png"},
      {"type":"input_image","image_url":"data:image/png;base64,AP8Q","detail":"low"}])"));
}

TEST(ResponsesDialect, SendsARefusalAsTheModelsOwn) {
  v1::GenerateRequest request;
  v1::Message* message = request.add_items()->mutable_message();
  message->set_role(v1::ROLE_ASSISTANT);
  message->add_parts()->set_refusal("I can't.");
  EXPECT_EQ(
      InputOf(request),
      json::parse(R"([{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"I can't."}]}])"));
}

TEST(ResponsesDialect, AToolWithoutParametersHasAnEmptySchema) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hi");
  request.add_tools()->set_name("now");
  EXPECT_EQ(Body(request).at("tools").at(0).at("parameters"), json::parse(R"({"type":"object","properties":{}})"));
}

TEST(ResponsesDialect, EscapesWhateverTextHolds) {
  constexpr char kHostile[] = "\"\\\n\x01\0</script>漢🙂";
  const std::string hostile(kHostile, sizeof(kHostile) - 1);
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, hostile);
  const json::value input = InputOf(request);
  const json::string& text = input.at(0).at("content").at(0).at("text").as_string();
  EXPECT_EQ(std::string(text.data(), text.size()), hostile);
}

}  // namespace
}  // namespace holdfast::quota
