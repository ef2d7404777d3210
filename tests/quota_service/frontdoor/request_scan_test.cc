#include "quota_service/frontdoor/request/request_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/prompt/prompt_characters.h"
#include "quota_service/estimate/prompt_profile.h"
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

// The beginning of a PNG whose header says 2,048 x 4,096: 1,105 tokens of gpt-4o.
constexpr char kPng[] = "iVBORw0KGgoAAAANSUhEUgAACAAAABAACAYAAAA=";
std::string PngUrl(size_t more = 0) { return std::string("data:image/png;base64,") + kPng + std::string(more, 'A'); }

PromptProfile Images(Api api, const std::string& body, std::string_view model = "gpt-4o") {
  const auto scanned = ScanRequest(api, body);
  EXPECT_TRUE(scanned.ok()) << scanned.status();
  PromptProfile profile;
  if (scanned.ok()) profile.AddImages(scanned->images, model);
  return profile;
}
std::string ChatPart(const std::string& part) {
  return R"({"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},)" + part + "]}]}";
}
std::string InputPart(const std::string& part) { return R"({"input":[{"role":"user","content":[)" + part + "]}]}"; }

TEST(RequestScan, AnImageCostsTheSameAsByTheTypedPath) {
  std::string jpeg("\xFF\xD8\xFF\xE1\xEA\x62", 6);
  jpeg += std::string(60'000, 'x') + std::string("\xFF\xC0\0\x0B\x08\x02\x58\x03\x20\x03", 10);
  v1::GenerateRequest request = AgentTurn();
  v1::Message* message = AddMessage(request, v1::ROLE_USER, "What is it?");
  const auto add = [message] { return message->add_parts()->mutable_image(); };
  for (const std::string& data : {jpeg, std::string("GIF89a\x40\x01\xC8\0", 10), std::string("none")}) {
    v1::Image* image = add();
    image->set_media_type("image/jpeg");
    image->set_data(data);
  }
  add()->set_url("https://example.com/a.png");
  v1::Image* low = add();
  low->set_url("https://example.com/b.png");
  low->set_detail("low");
  for (const char* model : {"gpt-4o", "gpt-5-mini", "claude-opus"}) {
    const PromptProfile typed = ProfilePrompt(request, model);
    EXPECT_GT(typed.shape.images, 1000);
    EXPECT_GT(typed.shape.images_most, typed.shape.images);
    for (const auto& [name, api] : {std::pair("responses", Api::kResponses), std::pair("chat", Api::kChat)}) {
      const auto body = FindDialect(name)->BuildBody(request, "m", "acme");
      ASSERT_TRUE(body.ok()) << body.status();
      const PromptProfile door = Images(api, *body, model);
      EXPECT_EQ(door.shape.images, typed.shape.images) << name << " " << model;
      EXPECT_EQ(door.shape.images_most, typed.shape.images_most) << name << " " << model;
      EXPECT_EQ(Count(api, *body), typed.characters);
    }
  }
}

TEST(RequestScan, FindsImagesWhereverTheApisHaveThem) {
  const std::string url = "\"" + PngUrl() + "\"";
  for (const std::string& part :
       {R"({"type":"image_url","image_url":{"url":)" + url + "}}",
        R"({"image_url":{"url":)" + url + R"(},"type":"image_url"})", R"({"type":"image_url","image_url":)" + url + "}",
        R"({"type":"image\u005furl","image_url":{"ur\u006c":)" + url + "}}"}) {
    EXPECT_EQ(Images(Api::kChat, ChatPart(part)).shape.images_most, 1105) << part;
  }
  EXPECT_EQ(Images(Api::kResponses, InputPart(R"({"type":"input_image","image_url":)" + url + "}")).shape.images_most,
            1105);
  EXPECT_EQ(Images(Api::kResponses,
                   R"({"input":[{"type":"function_call_output","output":[{"type":"input_image","image_url":)" + url +
                       R"(}]},{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":)" +
                       url + "}}]}")
                .shape.images_most,
            2 * 1105);
  EXPECT_EQ(Images(Api::kChat,
                   R"({"messages":[{"role":"tool","content":[{"type":"image_url","image_url":{"url":)" + url + "}}]}]}")
                .shape.images_most,
            1105);
}

TEST(RequestScan, LowDetailIsCheapWhereverItStands) {
  const std::string url = "\"" + PngUrl() + "\"";
  EXPECT_EQ(Images(Api::kChat, ChatPart(R"({"type":"image_url","image_url":{"detail":"low","url":)" + url + "}}"))
                .shape.images,
            85);
  EXPECT_EQ(Images(Api::kResponses, InputPart(R"({"image_url":)" + url + R"(,"detail":"low","type":"input_image"})"))
                .shape.images,
            85);
  EXPECT_EQ(
      Images(Api::kResponses, InputPart(R"({"type":"input_image","file_id":"file_1","detail":"low"})")).shape.images,
      85);
}

TEST(RequestScan, AnImageOfUnknownSizeIsTakenForTheUsualOne) {
  std::string escaped = PngUrl(40);
  escaped.insert(escaped.find("iVBORw0"), "\\n");
  const std::string urls[] = {"https://example.com/a.png", "", "data:image/png;base64,",
                              "data:image/png;base64,*broken*", "data:text/plain;base64,bm8gaW1hZ2UgYXQgYWxs",
                              "data:image/png,iVBORw0KGgo", escaped,
                              // a PNG of 4,294,967,295 x 1
                              "data:image/png;base64,iVBORw0KGgoAAAANSUhEUv////8AAAABCAYAAAA="};
  for (const std::string& url : urls) {
    const RequestShape shape =
        Images(Api::kChat, ChatPart(R"({"type":"image_url","image_url":{"url":")" + url + "\"}}")).shape;
    EXPECT_EQ(shape.images, 765) << url;
    EXPECT_EQ(shape.images_most, 1445) << url;
  }
  EXPECT_EQ(Images(Api::kResponses, InputPart(R"({"type":"input_image","image_url":null})")).shape.images_most, 1445);
}

TEST(RequestScan, ReadsAnImageWhoseSlashesAreEscaped) {
  EXPECT_EQ(Images(Api::kChat, ChatPart(R"({"type":"image_url","image_url":{"url":"data:image\/png;base64,)" +
                                        std::string(kPng) + R"(\/\/"}})"))
                .shape.images_most,
            1105);
}

TEST(RequestScan, WhatIsNoImageIsNone) {
  const std::string url = "\"" + PngUrl(300) + "\"";
  for (const std::string& body : {ChatPart(R"({"type":"text","text":)" + url + "}"),
                                  ChatPart(R"({"type":"text","image_url":{"url":)" + url + "}}"),
                                  ChatPart(R"({"image_url":{"url":)" + url + "}}"),
                                  R"({"metadata":{"type":"image_url","image_url":)" + url + "}}",
                                  R"({"tools":[{"type":"input_image","image_url":)" + url + "}]}",
                                  R"({"messages":[{"type":"image_url","image_url":{"url":)" + url + "}}]}"}) {
    const auto scanned = ScanRequest(Api::kChat, body);
    ASSERT_TRUE(scanned.ok()) << scanned.status();
    EXPECT_EQ(Images(Api::kChat, body).shape.images_most, 0) << body;
    EXPECT_TRUE(scanned->not_text.empty()) << body;
  }
  EXPECT_EQ(Images(Api::kOther, ChatPart(R"({"type":"image_url","image_url":{"url":)" + url + "}}")).shape.images, 0);
}

TEST(RequestScan, TheTextIsTheSameWithAnImageOfAnySize) {
  const auto text = [](size_t more) {
    const std::string part = R"({"type":"image_url","image_url":{"url":")" + PngUrl(more) + "\"}}";
    const std::string body = ChatPart(part + "," + part);
    const auto scanned = ScanRequest(Api::kChat, body);
    EXPECT_TRUE(scanned.ok()) << scanned.status();
    return ProfileBodyText(body, *scanned);
  };
  EXPECT_EQ(text(300).counts, text(300'000).counts);
  EXPECT_EQ(text(300).bytes, text(300'000).bytes);
  EXPECT_LT(text(300).bytes, 250);
}

TEST(RequestScan, WithoutImagesAllOfABodyIsText) {
  const std::string body = ChatPart(R"({"type":"text","text":"one two"})");
  const auto scanned = ScanRequest(Api::kChat, body);
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(ProfileBodyText(body, *scanned).counts, ProfileText(body).counts);
}

TEST(RequestScan, ManyImagesTakeABoundedPlace) {
  std::string parts;
  for (int i = 0; i < 3000; ++i) parts += R"(,{"type":"image_url","image_url":{"url":"a","detail":"low"}})";
  const auto scanned = ScanRequest(Api::kChat, R"({"messages":[{"content":[{})" + parts + "]}]}");
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_FALSE(scanned->images.has_room());
  EXPECT_TRUE(scanned->not_text.empty());
  EXPECT_EQ(scanned->images.TokensBy(FindImageRule("gpt-4o")).expected, 1024 * 85 + (3000 - 1024) * 765);
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
