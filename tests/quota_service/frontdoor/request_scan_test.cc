#include "quota_service/frontdoor/request/request_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/prompt/prompt_characters.h"
#include "quota_service/provider/dialect.h"
#include "tests/quota_service/provider/request_samples.h"

namespace holdfast::quota {
namespace {

using testing::HasSubstr;

std::string Error(Api api, std::string_view body) {
  const auto scanned = ScanRequest(api, body);
  EXPECT_EQ(scanned.status().code(), absl::StatusCode::kInvalidArgument) << body;
  return std::string(scanned.status().message());
}

TEST(RequestScan, FindsTheFieldsThatItNeeds) {
  const auto scanned = ScanRequest(Api::kResponses, R"({"model":"o4-mini","stream":true,"max_output_tokens":2000,
      "prompt_cache_key":"k","user":"u","previous_response_id":"resp_1","input":"hello"})");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->model->value, "o4-mini");
  EXPECT_TRUE(scanned->stream);
  EXPECT_EQ(scanned->output_cap(), 2000);
  EXPECT_EQ(scanned->prompt_cache_key, "k");
  EXPECT_EQ(scanned->user, "u");
  EXPECT_EQ(scanned->previous_response_id, "resp_1");
  EXPECT_EQ(scanned->prompt_characters, 5);
}

TEST(RequestScan, TakesNullForAbsent) {
  const auto scanned =
      ScanRequest(Api::kResponses,
                  R"({"model":null,"stream":null,"max_output_tokens":null,"previous_response_id":null,"user":null})");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_FALSE(scanned->model);
  EXPECT_FALSE(scanned->stream);
  EXPECT_EQ(scanned->output_cap(), 0);
}

TEST(RequestScan, LooksAtTheOutermostObjectAlone) {
  const auto scanned = ScanRequest(
      Api::kResponses,
      R"({"metadata":{"model":"inner","stream":true},"tools":[{"max_tokens":5}],"model":"outer","model2":"x"})");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->model->value, "outer");
  EXPECT_FALSE(scanned->stream);
  EXPECT_EQ(scanned->output_cap(), 0);
}

TEST(RequestScan, SeesThroughEscapedKeysAndValues) {
  const auto scanned = ScanRequest(Api::kChat, R"({"mod\u0065l":"gpt\u002d4","str\u0065am":true})");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->model->value, "gpt-4");
  EXPECT_TRUE(scanned->stream);
}

TEST(RequestScan, NamesAFieldThatIsThereTwice) {
  EXPECT_THAT(Error(Api::kChat, R"({"model":"a","mod\u0065l":"b"})"), HasSubstr("model: is there twice"));
  EXPECT_THAT(Error(Api::kChat, R"({"stream":true,"stream":false})"), HasSubstr("stream"));
}

TEST(RequestScan, NamesAFieldOfAnotherType) {
  EXPECT_THAT(Error(Api::kChat, R"({"model":1})"), HasSubstr("model: must be a string"));
  EXPECT_THAT(Error(Api::kChat, R"({"model":{"a":1}})"), HasSubstr("model: must be a string"));
  EXPECT_THAT(Error(Api::kChat, R"({"stream":"yes"})"), HasSubstr("stream: must be true or false"));
  EXPECT_THAT(Error(Api::kChat, R"({"stream":1})"), HasSubstr("stream"));
  for (const char* cap : {"\"5\"", "-1", "1.5", "1e3", "99999999999999999999", "true", "[5]"}) {
    EXPECT_THAT(Error(Api::kChat, R"({"max_tokens":)" + std::string(cap) + "}"), HasSubstr("max_tokens: must be"))
        << cap;
  }
  EXPECT_THAT(Error(Api::kResponses, R"({"previous_response_id":["a"]})"), HasSubstr("previous_response_id"));
}

TEST(RequestScan, WantsAnObject) {
  for (const char* body : {"[]", "1", "\"x\"", "null", "true"})
    EXPECT_THAT(Error(Api::kChat, body), HasSubstr("object"));
  EXPECT_THAT(Error(Api::kChat, ""), HasSubstr("not valid JSON"));
}

TEST(RequestScan, TheLargestCapCounts) {
  const auto scanned = ScanRequest(Api::kChat, R"({"max_tokens":5,"max_completion_tokens":7})");
  ASSERT_TRUE(scanned.ok());
  EXPECT_EQ(scanned->output_cap(), 7);
}

int64_t Count(Api api, std::string_view body) {
  const auto scanned = ScanRequest(api, body);
  EXPECT_TRUE(scanned.ok()) << scanned.status();
  return scanned.ok() ? scanned->prompt_characters : -1;
}

TEST(RequestScan, CountsWhatTheGateReadsOfResponses) {
  EXPECT_EQ(Count(Api::kResponses, R"({"instructions":"12345","input":"678"})"), 8);
  EXPECT_EQ(Count(Api::kResponses, R"({"input":[{"role":"user","content":"1234"}]})"), 4);
  EXPECT_EQ(Count(Api::kResponses, R"({"input":[{"content":[{"type":"input_text","text":"1234"},{"refusal":"12"},
      {"type":"input_image","image_url":"data:image/png;base64,AAAA"}],"role":"user","type":"message"}]})"),
            6);
  EXPECT_EQ(Count(Api::kResponses, R"({"input":[{"type":"function_call","name":"shell","arguments":"{\"a\":1}"},
      {"output":"123","type":"function_call_output","call_id":"c"},
      {"type":"function_call_output","output":[{"type":"input_text","text":"12"}]},
      {"type":"custom_tool_call","input":"12345"}]})"),
            7 + 3 + 2 + 5);
  EXPECT_EQ(Count(Api::kResponses, R"({"input":[{"type":"reasoning","summary":[{"text":"hidden"}],
      "content":[{"text":"hidden"}],"encrypted_content":"opaque"},
      {"content":[{"text":"hidden"}],"type":"reasoning"}],"tools":[{"description":"not counted"}]})"),
            0);
}

TEST(RequestScan, CountsWhatTheGateReadsOfChat) {
  EXPECT_EQ(Count(Api::kChat, R"({"messages":[{"role":"system","content":"123"},
      {"role":"user","content":[{"type":"text","text":"45"},{"type":"image_url","image_url":{"url":"data:..."}}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"n",
      "arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"678"}],"instructions":"not of chat"})"),
            3 + 2 + 2 + 3);
}

TEST(RequestScan, AgreesWithTheTypedPathOnTheSameConversation) {
  std::vector<v1::GenerateRequest> requests{AgentTurn()};
  v1::GenerateRequest unicode;
  unicode.set_instructions("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 \"quoted\"\n\ttab \x01 \\");
  AddMessage(unicode, v1::ROLE_USER, "\xE4\xBD\xA0\xE5\xA5\xBD");
  v1::Message* refusal = unicode.add_items()->mutable_message();
  refusal->set_role(v1::ROLE_ASSISTANT);
  refusal->add_parts()->set_refusal("no \xF0\x9F\x98\x80");
  AddToolCall(unicode, "c", R"({"text":"\u00e4\n"})");
  AddToolResult(unicode, "c", std::string(10'000, 'x') + "\xC3\xA4");
  requests.push_back(unicode);
  for (const v1::GenerateRequest& request : requests) {
    for (const auto& [name, api] : {std::pair("responses", Api::kResponses), std::pair("chat", Api::kChat)}) {
      const auto body = FindDialect(name)->BuildBody(request, "m", "acme");
      ASSERT_TRUE(body.ok()) << body.status();
      EXPECT_EQ(Count(api, *body), CountPromptCharacters(request)) << name << ": " << *body;
    }
  }
}

TEST(RequestScan, SplicesOneValueAndLeavesTheRestByteForByte) {
  const std::string body = "{ \"a\" : 1.50e0,\r\n\"model\" : \"al\\u0069as\" , \"a\":[ ] }";
  const auto scanned = ScanRequest(Api::kChat, body);
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(ApplySplices(body, {{scanned->model->begin, scanned->model->end, JsonQuoted("the \"real\" one")}}),
            "{ \"a\" : 1.50e0,\r\n\"model\" : \"the \\\"real\\\" one\" , \"a\":[ ] }");
  EXPECT_EQ(ApplySplices(body, {}), body);
}

TEST(RequestScan, OtherApisNeedNothingButAModelThatIsText) {
  const auto scanned =
      ScanRequest(Api::kOther, R"({"model":"m","user":5,"max_tokens":"any","messages":[{"content":"x"}]})");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->model->value, "m");
  EXPECT_EQ(scanned->prompt_characters, 0);
}

}  // namespace
}  // namespace holdfast::quota
