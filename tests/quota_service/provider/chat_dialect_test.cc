#include "quota_service/provider/chat_dialect.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "tests/quota_service/provider/request_samples.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;

json::value Body(const v1::GenerateRequest& request) {
  const auto body = ChatDialect().BuildBody(request, "kimi-k2.5", "acme");
  EXPECT_TRUE(body.ok()) << body.status();
  return json::parse(body.value_or("null"));
}

TEST(ChatDialect, WritesAnAgentsTurnByteForByte) {
  const auto body = ChatDialect().BuildBody(AgentTurn(), "kimi-k2.5", "acme");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(
      *body,
      R"({"model":"kimi-k2.5","tools":[{"type":"function","function":{"name":"shell","description":"Runs a command.",)"
      R"("parameters":{"type":"object","properties":{"cmd":{"type":"string"}}}}}],)"
      R"("messages":[{"role":"system","content":"Be brief."},{"role":"system","content":"Stay in /src."},)"
      R"({"role":"user","content":"List \"files\""},)"
      R"({"role":"assistant","content":"Looking.","tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"shell","arguments":"{\"cmd\":\"ls\"}"}},)"
      R"({"id":"c2","type":"function","function":{"name":"shell","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":"a.cc\nb.cc"},{"role":"tool","tool_call_id":"c2","content":""}],)"
      R"("max_tokens":2000,"reasoning_effort":"low","stream":true,"stream_options":{"include_usage":true}})");
}

TEST(ChatDialect, LeavesOutWhatTheRequestDoesNotSay) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hi");
  EXPECT_EQ(Body(request),
            json::parse(R"({"model":"kimi-k2.5","messages":[{"role":"user","content":"hi"}],"stream":true,
      "stream_options":{"include_usage":true}})"));
}

TEST(ChatDialect, WordsAndCallsInOneGoAreOneAssistantMessage) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "go");
  AddMessage(request, v1::ROLE_ASSISTANT, "First.");
  AddReasoning(request, "acme", "opaque");
  AddToolCall(request, "c1", "{}");
  AddMessage(request, v1::ROLE_ASSISTANT, "Second.");
  AddToolResult(request, "c1", "done");
  AddToolCall(request, "c2", "{}");
  const json::value messages = Body(request).at("messages");
  ASSERT_EQ(messages.as_array().size(), 4u);
  EXPECT_EQ(messages.at(1).at("content"), json::value("First.\nSecond."));
  EXPECT_EQ(messages.at(1).at("tool_calls").as_array().size(), 1u);
  EXPECT_EQ(messages.at(2).at("role"), json::value("tool"));
  EXPECT_EQ(messages.at(3).at("content"), json::value(nullptr));
  EXPECT_EQ(messages.at(3).at("tool_calls").at(0).at("id"), json::value("c2"));
}

TEST(ChatDialect, ReasoningIsDroppedWhoeverMadeIt) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hi");
  AddReasoning(request, "acme", "opaque");
  EXPECT_EQ(Body(request).at("messages").as_array().size(), 1u);
}

TEST(ChatDialect, SeveralTextsAreOneStringAndImagesMakeAList) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "one")->add_parts()->set_text("two");
  v1::Message* message = AddMessage(request, v1::ROLE_USER, "see");
  v1::Image* image = message->add_parts()->mutable_image();
  image->set_data("abc");
  image->set_media_type("image/jpeg");
  image->set_detail("high");
  const json::value messages = Body(request).at("messages");
  EXPECT_EQ(messages.at(0).at("content"), json::value("one\ntwo"));
  EXPECT_EQ(messages.at(1).at("content"), json::parse(R"([{"type":"text","text":"see"},
      {"type":"image_url","image_url":{"url":"data:image/jpeg;base64,YWJj","detail":"high"}}])"));
}

}  // namespace
}  // namespace holdfast::quota
