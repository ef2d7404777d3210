// What both dialects refuse, and how they say so.
#include "quota_service/provider/request_fields.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "quota_service/provider/dialect.h"
#include "tests/quota_service/provider/request_samples.h"

namespace holdfast::quota {
namespace {

struct Refusal {
  const char* name;
  const char* field;
  std::function<void(v1::GenerateRequest&)> spoil;
};

class Inexpressible : public testing::TestWithParam<Refusal> {};

TEST_P(Inexpressible, NamesTheFieldInEveryDialect) {
  v1::GenerateRequest request;
  AddMessage(request, v1::ROLE_USER, "hello");
  GetParam().spoil(request);
  for (const char* dialect : {"responses", "chat"}) {
    const auto body = FindDialect(dialect)->BuildBody(request, "m", "acme");
    EXPECT_EQ(body.status().code(), absl::StatusCode::kInvalidArgument) << dialect;
    const std::string message(body.status().message());
    EXPECT_TRUE(message.starts_with(std::string(GetParam().field) + ": ")) << message;
    EXPECT_NE(message.find("; "), std::string::npos) << message;  // the remedy
  }
}

v1::Image* AddImage(v1::GenerateRequest& request, v1::Role role) {
  v1::Message* message = AddMessage(request, role, "see");
  return message->add_parts()->mutable_image();
}

const Refusal kRefusals[] = {
    {"NoItems", "items", [](v1::GenerateRequest& r) { r.clear_items(); }},
    {"ItemWithoutKind", "items[1]", [](v1::GenerateRequest& r) { r.add_items(); }},
    {"RoleUnspecified", "items[1].message.role",
     [](v1::GenerateRequest& r) { AddMessage(r, v1::ROLE_UNSPECIFIED, "x"); }},
    {"RoleUnknown", "items[1].message.role",
     [](v1::GenerateRequest& r) { AddMessage(r, static_cast<v1::Role>(9), "x"); }},
    {"MessageWithoutParts", "items[1].message.parts",
     [](v1::GenerateRequest& r) { r.add_items()->mutable_message()->set_role(v1::ROLE_USER); }},
    {"PartWithoutKind", "items[1].message.parts[1]",
     [](v1::GenerateRequest& r) { AddMessage(r, v1::ROLE_USER, "x")->add_parts(); }},
    {"RefusalByUser", "items[1].message.parts[1].refusal",
     [](v1::GenerateRequest& r) { AddMessage(r, v1::ROLE_USER, "x")->add_parts()->set_refusal("no"); }},
    {"ImageByAssistant", "items[1].message.parts[1].image",
     [](v1::GenerateRequest& r) { AddImage(r, v1::ROLE_ASSISTANT)->set_url("https://host/a.png"); }},
    {"ImageWithoutSource", "items[1].message.parts[1].image",
     [](v1::GenerateRequest& r) { AddImage(r, v1::ROLE_USER); }},
    {"ImageFromAFile", "items[1].message.parts[1].image.url",
     [](v1::GenerateRequest& r) { AddImage(r, v1::ROLE_USER)->set_url("file:///etc/passwd"); }},
    {"ImageWithoutMediaType", "items[1].message.parts[1].image.media_type",
     [](v1::GenerateRequest& r) { AddImage(r, v1::ROLE_USER)->set_data("x"); }},
    {"ImageWithAMediaTypeThatBreaksOut", "items[1].message.parts[1].image.media_type",
     [](v1::GenerateRequest& r) {
       v1::Image* image = AddImage(r, v1::ROLE_USER);
       image->set_data("x");
       image->set_media_type("image/png;base64,AAAA");
     }},
    {"ImageDetailUnknown", "items[1].message.parts[1].image.detail",
     [](v1::GenerateRequest& r) {
       v1::Image* image = AddImage(r, v1::ROLE_USER);
       image->set_url("https://host/a.png");
       image->set_detail("enormous");
     }},
    {"CallWithoutId", "items[1].tool_call.call_id", [](v1::GenerateRequest& r) { AddToolCall(r, "", "{}"); }},
    {"CallWithoutName", "items[1].tool_call.name",
     [](v1::GenerateRequest& r) {
       AddToolCall(r, "c", "{}");
       r.mutable_items(1)->mutable_tool_call()->clear_name();
     }},
    {"ResultWithoutId", "items[1].tool_result.call_id", [](v1::GenerateRequest& r) { AddToolResult(r, "", "x"); }},
    {"ToolWithoutName", "tools[0].name", [](v1::GenerateRequest& r) { r.add_tools(); }},
    {"ToolNameWithSpace", "tools[0].name", [](v1::GenerateRequest& r) { r.add_tools()->set_name("a b"); }},
    {"ToolNameTooLong", "tools[0].name", [](v1::GenerateRequest& r) { r.add_tools()->set_name(std::string(65, 'a')); }},
    {"ParametersNoJson", "tools[1].parameters",
     [](v1::GenerateRequest& r) {
       r.add_tools()->set_name("good");
       v1::Tool* tool = r.add_tools();
       tool->set_name("bad");
       tool->set_parameters("{\"type\":");
     }},
    {"ParametersNoObject", "tools[0].parameters",
     [](v1::GenerateRequest& r) {
       v1::Tool* tool = r.add_tools();
       tool->set_name("bad");
       tool->set_parameters("[]");
     }},
    {"ParametersWithANumberThatCannotBeWritten", "tools[0].parameters",
     [](v1::GenerateRequest& r) {
       v1::Tool* tool = r.add_tools();
       tool->set_name("bad");
       tool->set_parameters(R"({"maximum":1e999})");
     }},
};

INSTANTIATE_TEST_SUITE_P(Request, Inexpressible, testing::ValuesIn(kRefusals),
                         [](const testing::TestParamInfo<Refusal>& row) { return std::string(row.param.name); });

TEST(Dialects, AreFoundByTheirNames) {
  EXPECT_EQ(FindDialect("responses")->path(), "/responses");
  EXPECT_EQ(FindDialect("chat")->path(), "/chat/completions");
  EXPECT_EQ(FindDialect("Chat"), nullptr);
  EXPECT_EQ(FindDialect(""), nullptr);
}

}  // namespace
}  // namespace holdfast::quota
