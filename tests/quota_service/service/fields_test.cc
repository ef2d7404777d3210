// Every field of every RPC that can be wrong: INVALID_ARGUMENT (or what docs/status-codes.md says), the field and the
// remedy; nothing is sent, and the service goes on.
#include <functional>
#include <limits>

#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/raw_rpc.h"

namespace holdfast::quota {
namespace {

using grpc::StatusCode;
using testing::StartsWith;

constexpr int64_t kMostInt64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeastInt64 = std::numeric_limits<int64_t>::min();

class FieldsTest : public QuotaServerTestBase {
 protected:
  using Spoil = std::function<void(v1::GenerateRequest&)>;

  FieldsTest() { StartServer(); }

  static void ExpectRefused(const grpc::Status& status, const std::string& field) {
    SCOPED_TRACE(field);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), StartsWith(field + ":"));
    EXPECT_GT(status.error_message().size(), field.size() + 10) << "no remedy";
    EXPECT_LE(status.error_message().size(), 1024U);
  }
  void ExpectAllRefused(const std::vector<std::pair<const char*, Spoil>>& cases) {
    for (const auto& [field, spoil] : cases) {
      v1::GenerateRequest request = Request("c1");
      spoil(request);
      ExpectRefused(Generate(request).status, field);
    }
    ExpectUnharmed();
  }
  // None of the calls was begun, and the next one is served.
  void ExpectUnharmed() {
    EXPECT_EQ(Sent(), 0U);
    EXPECT_TRUE(Generate(Request("c1")).status.ok());
    EXPECT_EQ(Sent(), 1U);
  }
  grpc::Status Raw(const std::string& rpc, const std::string& bytes) {
    return test::SendRaw(test::UnboundedChannel(server_->grpc().ToString()), "/holdfast.quota.v1.QuotaService/" + rpc,
                         bytes);
  }

  static v1::Message* MessageOf(v1::GenerateRequest& request) { return request.mutable_items(0)->mutable_message(); }
};

TEST_F(FieldsTest, OfGenerate) {
  std::vector<std::pair<const char*, Spoil>> cases = {
      {"call_id", [](auto& r) { r.clear_call_id(); }},
      {"call_id", [](auto& r) { r.set_call_id("white space"); }},
      {"call_id", [](auto& r) { r.set_call_id("\u00e9"); }},
      {"call_id", [](auto& r) { r.set_call_id(std::string(257, 'c')); }},
      {"call_id", [](auto& r) { r.set_call_id(std::string(1 << 20, 'c')); }},
      {"model", [](auto& r) { r.clear_model(); }},
      {"model", [](auto& r) { r.set_model("a\nb"); }},
      {"model", [](auto& r) { r.set_model(std::string(257, 'm')); }},
      {"session_id", [](auto& r) { r.set_session_id(std::string(257, 's')); }},
      {"after_incarnation", [](auto& r) { r.set_after_incarnation(std::string(257, 'i')); }},
      {"items", [](auto& r) { r.clear_items(); }},
      {"reasoning_effort", [](auto& r) { r.set_reasoning_effort(std::string(65, 'e')); }},
  };
  const auto add = [&](const char* field, Spoil spoil) { cases.push_back({field, std::move(spoil)}); };
  for (const int64_t event : {int64_t{-1}, kLeastInt64})
    add("after_event", [event](auto& r) { r.set_after_event(event); });
  for (const int64_t tokens : {int64_t{-1}, kLeastInt64, kMostInt64, int64_t{1'000'000'001}})
    add("max_output_tokens", [tokens](auto& r) { r.set_max_output_tokens(tokens); });
  for (const int64_t wait : {int64_t{-1}, kLeastInt64, kMostInt64, int64_t{366} * 86'400 + 1})
    add("max_wait", [wait](auto& r) { r.mutable_max_wait()->set_seconds(wait); });
  for (const int32_t nanos : {-1, 1'000'000'000, std::numeric_limits<int32_t>::min()})
    add("max_wait", [nanos](auto& r) { r.mutable_max_wait()->set_nanos(nanos); });
  ExpectAllRefused(cases);
}

TEST_F(FieldsTest, OfGeneratesItems) {
  ExpectAllRefused({
      {"items[0]", [](auto& r) { r.mutable_items(0)->Clear(); }},
      {"items[0].message.role", [](auto& r) { MessageOf(r)->clear_role(); }},
      {"items[0].message.role", [](auto& r) { MessageOf(r)->set_role(static_cast<v1::Role>(99)); }},
      {"items[0].message.role", [](auto& r) { MessageOf(r)->set_role(static_cast<v1::Role>(-1)); }},
      {"items[0].message.parts", [](auto& r) { MessageOf(r)->clear_parts(); }},
      {"items[0].message.parts[1]", [](auto& r) { MessageOf(r)->add_parts(); }},
      {"items[0].message.parts[0].refusal", [](auto& r) { MessageOf(r)->mutable_parts(0)->set_refusal("no"); }},
      {"items[0].message.parts[0].image", [](auto& r) { MessageOf(r)->mutable_parts(0)->mutable_image(); }},
      {"items[0].message.parts[0].image.url",
       [](auto& r) { MessageOf(r)->mutable_parts(0)->mutable_image()->set_url("file:///etc/passwd"); }},
      {"items[0].message.parts[0].image.media_type",
       [](auto& r) { MessageOf(r)->mutable_parts(0)->mutable_image()->set_data("x"); }},
      {"items[1].tool_call.call_id", [](auto& r) { r.add_items()->mutable_tool_call()->set_name("t"); }},
      {"items[1].tool_call.name", [](auto& r) { r.add_items()->mutable_tool_call()->set_call_id("c"); }},
      {"items[1].tool_result.call_id", [](auto& r) { r.add_items()->mutable_tool_result()->set_output("o"); }},
  });
}

TEST_F(FieldsTest, OfGeneratesTools) {
  std::vector<std::pair<const char*, Spoil>> cases;
  for (const std::string& name : {std::string(), std::string("no spaces"), std::string("\u00e9"), std::string(65, 't')})
    cases.push_back({"tools[0].name", [name](auto& r) { r.add_tools()->set_name(name); }});
  for (const char* parameters : {"not json", "[]", "5", "{\"a\": 1e999}", "{\"a\": 1"}) {
    cases.push_back({"tools[0].parameters", [parameters](auto& r) {
                       r.add_tools()->set_name("t");
                       r.mutable_tools(0)->set_parameters(parameters);
                     }});
  }
  ExpectAllRefused(cases);
}

TEST_F(FieldsTest, OfCancelCall) {
  for (const std::string& id :
       {std::string(), std::string("white space"), std::string(257, 'c'), std::string("\0", 1)}) {
    v1::CancelCallRequest request;
    request.set_call_id(id);
    v1::CancelCallResponse response;
    ExpectRefused(Ask(&v1::QuotaService::Stub::CancelCall, request, &response), "call_id");
  }
  ExpectUnharmed();
}

TEST_F(FieldsTest, OfGetHeadroomAndGetModel) {
  for (const std::string& model : {std::string(), std::string("two words"), std::string(257, 'm'), std::string("\n")}) {
    v1::GetHeadroomRequest headroom;
    headroom.set_model(model);
    v1::GetHeadroomResponse fits;
    ExpectRefused(Ask(&v1::QuotaService::Stub::GetHeadroom, headroom, &fits), "model");
    v1::GetModelRequest ask;
    ask.set_model(model);
    v1::GetModelResponse known;
    ExpectRefused(Ask(&v1::QuotaService::Stub::GetModel, ask, &known), "model");
  }
  for (const int64_t tokens : {int64_t{-1}, kLeastInt64, kMostInt64}) {
    v1::GetHeadroomRequest request;
    request.set_model("m");
    request.set_tokens(tokens);
    v1::GetHeadroomResponse response;
    ExpectRefused(Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response), "tokens");
  }
  ExpectUnharmed();
}

// Nobody may speak for another: who names a tenant that is not its own is told so, whatever the name is.
TEST_F(FieldsTest, ATenantOfOthersIsPermissionDenied) {
  for (const std::string& tenant : {std::string("other"), std::string(1 << 20, 't')}) {
    v1::GenerateRequest request = Request("c1");
    request.set_tenant(tenant);
    const grpc::Status status = Generate(request).status;
    EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(status.error_message(), StartsWith("tenant:"));
  }
  ExpectUnharmed();
}

// gRPC reads the bytes before we do: it refuses what is no message, or too large a one, with words of its own.
TEST_F(FieldsTest, BytesThatAreNoMessageAreRefusedByGrpcAndHarmNobody) {
  for (const char* rpc : {"Generate", "CancelCall", "GetHeadroom", "GetModel"}) {
    EXPECT_EQ(Raw(rpc, test::WireBytes(1, "bad \xff\xfe")).error_code(), StatusCode::UNIMPLEMENTED) << rpc;
    EXPECT_EQ(Raw(rpc, test::WireBytes(1, "whole").substr(0, 4)).error_code(), StatusCode::UNIMPLEMENTED) << rpc;
    const grpc::Status large = Raw(rpc, test::WireBytes(1, std::string((64 << 20) + 1, 'x')));
    EXPECT_EQ(large.error_code(), StatusCode::RESOURCE_EXHAUSTED) << rpc;
    EXPECT_EQ(large.error_details(), "") << "details would mean quota";
  }
  // An enum's value, and the kind of an item, that this version does not know.
  const std::string from_the_future = test::WireNumber(1, 99) + test::WireBytes(2, test::WireBytes(1, "hi"));
  ExpectRefused(Raw("Generate", test::WireBytes(1, "c1") + test::WireBytes(6, "m") +
                                    test::WireBytes(8, test::WireBytes(1, from_the_future))),
                "items[0].message.role");
  ExpectRefused(Raw("Generate", test::WireBytes(1, "c1") + test::WireBytes(6, "m") +
                                    test::WireBytes(8, test::WireBytes(99, "new"))),
                "items[0]");
  ExpectUnharmed();
}

}  // namespace
}  // namespace holdfast::quota
