// Every field of every RPC that can be wrong: INVALID_ARGUMENT, the field and the remedy, and nothing has changed.
#include <functional>
#include <limits>

#include "tests/agent_service/service/service_test_base.h"
#include "tests/support/raw_rpc.h"

namespace holdfast::agent {
namespace {

using grpc::StatusCode;
using testing::StartsWith;

constexpr int64_t kMostInt64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeastInt64 = std::numeric_limits<int64_t>::min();
constexpr int32_t kMostInt32 = std::numeric_limits<int32_t>::max();
constexpr int32_t kLeastInt32 = std::numeric_limits<int32_t>::min();

class FieldsTest : public ServiceTest {
 protected:
  FieldsTest() : id_(CreateSession()), before_(Snapshot()) {}

  std::string Snapshot() {
    v1::GetSessionRequest request;
    request.set_session_id(id_);
    v1::GetSessionResponse response;
    const grpc::Status status = stub_->GetSession(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    v1::ListSessionsResponse all;
    EXPECT_TRUE(stub_->ListSessions(Context().get(), {}, &all).ok());
    return response.SerializeAsString() + all.SerializeAsString();
  }

  void ExpectRefused(const grpc::Status& status, const std::string& field) {
    SCOPED_TRACE(field);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), StartsWith(field + ":"));
    EXPECT_GT(status.error_message().size(), field.size() + 10) << "no remedy";
    EXPECT_LE(status.error_message().size(), 1024U);
  }

  // `call` with `request`, once for each way to spoil it.
  template <typename Request, typename Response>
  void ExpectAllRefused(const Request& good,
                        grpc::Status (v1::AgentService::Stub::*call)(grpc::ClientContext*, const Request&, Response*),
                        const std::vector<std::pair<const char*, std::function<void(Request&)>>>& cases) {
    for (const auto& [field, spoil] : cases) {
      Request request = good;
      spoil(request);
      Response response;
      ExpectRefused((stub_.get()->*call)(Context().get(), request, &response), field);
    }
    EXPECT_EQ(Snapshot(), before_) << "a refused request left a trace";
  }

  // Ids that no session can have.
  template <typename Request>
  static std::vector<std::pair<const char*, std::function<void(Request&)>>> WrongSessionIds() {
    std::vector<std::pair<const char*, std::function<void(Request&)>>> cases;
    for (const std::string& id : {std::string(), std::string(65, 'a'), std::string("../x"), std::string("a b"),
                                  std::string("a\0b", 3), std::string("\u00e9"), std::string(1 << 20, 'x')}) {
      cases.push_back({"session_id", [id](Request& request) { request.set_session_id(id); }});
    }
    return cases;
  }

  grpc::Status Raw(const std::string& rpc, const std::string& bytes) {
    return test::SendRaw(test::UnboundedChannel(server_->address().ToString()),
                         "/holdfast.agent.v1.AgentService/" + rpc, bytes, "token-a");
  }

  const std::string id_;
  const std::string before_;
};

TEST_F(FieldsTest, OfAcquireLease) {
  v1::AcquireLeaseRequest good;
  good.set_session_id(id_);
  good.set_holder("h");
  good.mutable_place()->set_host("host");
  good.mutable_place()->set_workspace("/w");
  using Request = v1::AcquireLeaseRequest;
  ExpectAllRefused<Request, v1::Lease>(
      good, &v1::AgentService::Stub::AcquireLease,
      {{"holder", [](Request& r) { r.clear_holder(); }},
       {"holder", [](Request& r) { r.set_holder(std::string(129, 'h')); }},
       {"place.host", [](Request& r) { r.clear_place(); }},
       {"place.host", [](Request& r) { r.mutable_place()->set_host(std::string(129, 'h')); }},
       {"place.host_name", [](Request& r) { r.mutable_place()->set_host_name(std::string(257, 'h')); }},
       {"place.workspace", [](Request& r) { r.mutable_place()->clear_workspace(); }},
       {"place.workspace", [](Request& r) { r.mutable_place()->set_workspace(std::string(4097, '/')); }}});
  ExpectAllRefused<Request, v1::Lease>(good, &v1::AgentService::Stub::AcquireLease, WrongSessionIds<Request>());
}

TEST_F(FieldsTest, OfRenewAndReleaseLease) {
  v1::RenewLeaseRequest renew;
  renew.set_session_id(id_);
  renew.set_generation(1);
  v1::ReleaseLeaseRequest release;
  release.set_session_id(id_);
  release.set_generation(1);
  for (const int64_t wrong : {int64_t{0}, int64_t{-1}, kLeastInt64}) {
    ExpectAllRefused<v1::RenewLeaseRequest, v1::Lease>(
        renew, &v1::AgentService::Stub::RenewLease,
        {{"generation", [wrong](v1::RenewLeaseRequest& r) { r.set_generation(wrong); }}});
    ExpectAllRefused<v1::ReleaseLeaseRequest, v1::ReleaseLeaseResponse>(
        release, &v1::AgentService::Stub::ReleaseLease,
        {{"generation", [wrong](v1::ReleaseLeaseRequest& r) { r.set_generation(wrong); }}});
  }
  ExpectAllRefused<v1::RenewLeaseRequest, v1::Lease>(renew, &v1::AgentService::Stub::RenewLease,
                                                     WrongSessionIds<v1::RenewLeaseRequest>());
  ExpectAllRefused<v1::ReleaseLeaseRequest, v1::ReleaseLeaseResponse>(release, &v1::AgentService::Stub::ReleaseLease,
                                                                      WrongSessionIds<v1::ReleaseLeaseRequest>());
}

TEST_F(FieldsTest, OfRequestApproval) {
  using Request = v1::RequestApprovalRequest;
  Request good;
  good.set_session_id(id_);
  good.set_generation(1);
  good.set_approval_id("a");
  good.set_call_id("c");
  good.set_question("may it?");
  ExpectAllRefused<Request, v1::Approval>(
      good, &v1::AgentService::Stub::RequestApproval,
      {{"generation", [](Request& r) { r.set_generation(0); }},
       {"approval_id", [](Request& r) { r.clear_approval_id(); }},
       {"approval_id", [](Request& r) { r.set_approval_id(std::string(321, 'a')); }},
       {"call_id", [](Request& r) { r.clear_call_id(); }},
       {"call_id", [](Request& r) { r.set_call_id(std::string(257, 'c')); }},
       {"question", [](Request& r) { r.clear_question(); }},
       {"question", [](Request& r) { r.set_question(std::string(256 * 1024 + 1, 'q')); }}});
  ExpectAllRefused<Request, v1::Approval>(good, &v1::AgentService::Stub::RequestApproval, WrongSessionIds<Request>());
}

TEST_F(FieldsTest, OfDecideApproval) {
  using Request = v1::DecideApprovalRequest;
  Request good;
  good.set_session_id(id_);
  good.set_approval_id("a");
  good.set_answer(v1::APPROVAL_ANSWER_DENY);
  ExpectAllRefused<Request, v1::Approval>(
      good, &v1::AgentService::Stub::DecideApproval,
      {{"approval_id", [](Request& r) { r.clear_approval_id(); }},
       {"approval_id", [](Request& r) { r.set_approval_id(std::string(321, 'a')); }},
       {"answer", [](Request& r) { r.clear_answer(); }},
       {"answer", [](Request& r) { r.set_answer(static_cast<v1::ApprovalAnswer>(4)); }},
       {"reason", [](Request& r) { r.set_reason(std::string(4097, 'r')); }},
       {"by", [](Request& r) { r.set_by(std::string(257, 'b')); }}});
  ExpectAllRefused<Request, v1::Approval>(good, &v1::AgentService::Stub::DecideApproval, WrongSessionIds<Request>());
}

TEST_F(FieldsTest, OfCreateSession) {
  v1::CreateSessionRequest good;
  good.set_model("m");
  ExpectAllRefused<v1::CreateSessionRequest, v1::Session>(
      good, &v1::AgentService::Stub::CreateSession,
      {{"client_key", [](auto& r) { r.set_client_key(std::string(129, 'k')); }},
       {"model", [](auto& r) { r.clear_model(); }},
       {"model", [](auto& r) { r.set_model(std::string(257, 'm')); }},
       {"model", [](auto& r) { r.set_model("two words"); }},
       {"model", [](auto& r) { r.set_model("a\nb"); }},
       {"workspace", [](auto& r) { r.set_workspace(std::string(4097, 'w')); }}});
}

TEST_F(FieldsTest, OfGetSession) {
  v1::GetSessionRequest good;
  good.set_session_id(id_);
  auto cases = WrongSessionIds<v1::GetSessionRequest>();
  for (const int64_t cursor : {int64_t{-1}, kLeastInt64})
    cases.push_back({"after_sequence", [cursor](auto& r) { r.set_after_sequence(cursor); }});
  for (const int32_t size : {-1, 1001, kLeastInt32, kMostInt32})
    cases.push_back({"page_size", [size](auto& r) { r.set_page_size(size); }});
  ExpectAllRefused<v1::GetSessionRequest, v1::GetSessionResponse>(good, &v1::AgentService::Stub::GetSession, cases);
}

TEST_F(FieldsTest, OfListSessions) {
  std::vector<std::pair<const char*, std::function<void(v1::ListSessionsRequest&)>>> cases;
  for (const int32_t size : {-1, 1001, kLeastInt32, kMostInt32})
    cases.push_back({"page_size", [size](auto& r) { r.set_page_size(size); }});
  for (const std::string& token :
       {std::string("forged"), std::string(100'000, 'x'), std::string("\u00e9"), std::string("\0", 1)}) {
    cases.push_back({"page_token", [token](auto& r) { r.set_page_token(token); }});
  }
  ExpectAllRefused<v1::ListSessionsRequest, v1::ListSessionsResponse>({}, &v1::AgentService::Stub::ListSessions, cases);
}

TEST_F(FieldsTest, OfDeleteSession) {
  ExpectAllRefused<v1::DeleteSessionRequest, v1::DeleteSessionResponse>({}, &v1::AgentService::Stub::DeleteSession,
                                                                        WrongSessionIds<v1::DeleteSessionRequest>());
}

TEST_F(FieldsTest, OfSubmitTurn) {
  v1::SubmitTurnRequest good;
  good.set_session_id(id_);
  good.set_client_key("k");
  good.add_input()->set_text("hello");
  auto cases = WrongSessionIds<v1::SubmitTurnRequest>();
  const auto add = [&](const char* field, std::function<void(v1::SubmitTurnRequest&)> spoil) {
    cases.push_back({field, std::move(spoil)});
  };
  add("client_key", [](auto& r) { r.clear_client_key(); });
  add("client_key", [](auto& r) { r.set_client_key(std::string(129, 'k')); });
  add("input", [](auto& r) { r.clear_input(); });
  add("input[1]", [](auto& r) { r.add_input(); });
  add("input[0].text", [](auto& r) { r.mutable_input(0)->set_text(""); });
  add("input[1].refusal", [](auto& r) { r.add_input()->set_refusal("no"); });
  add("input[1].image", [](auto& r) { r.add_input()->mutable_image(); });
  add("input[1].image.url", [](auto& r) { r.add_input()->mutable_image()->set_url("file:///etc/passwd"); });
  add("input[1].image.media_type", [](auto& r) { r.add_input()->mutable_image()->set_data("x"); });
  add("input[1].image.detail", [](auto& r) {
    r.add_input()->mutable_image()->set_url("https://x");
    r.mutable_input(1)->mutable_image()->set_detail("ultra");
  });
  // Each fits into a message of gRPC's; together with the rest of the session it would not be read back.
  add("input", [](auto& r) { r.mutable_input(0)->set_text(std::string(17 << 20, 'x')); });
  add("input", [](auto& r) { r.set_instructions(std::string(17 << 20, 'x')); });
  for (const char* name : {"", "two words", "\u00e9", "a/b"})
    add("tools[0].name", [name](auto& r) { r.add_tools()->set_name(name); });
  add("tools[0].name", [](auto& r) { r.add_tools()->set_name(std::string(65, 't')); });
  add("model", [](auto& r) { r.set_model(std::string(257, 'm')); });
  add("model", [](auto& r) { r.set_model("two words"); });
  for (const int64_t seconds : {int64_t{-1}, kLeastInt64, kMostInt64, int64_t{366} * 86'400 + 1})
    add("max_wait", [seconds](auto& r) { r.mutable_max_wait()->set_seconds(seconds); });
  for (const int32_t nanos : {-1, 1'000'000'000, kLeastInt32, kMostInt32})
    add("max_wait", [nanos](auto& r) { r.mutable_max_wait()->set_nanos(nanos); });
  for (const int64_t tokens : {int64_t{-1}, kLeastInt64, kMostInt64})
    add("max_output_tokens", [tokens](auto& r) { r.set_max_output_tokens(tokens); });
  add("reasoning_effort", [](auto& r) { r.set_reasoning_effort(std::string(65, 'e')); });
  for (const int32_t steps : {-1, 1001, kLeastInt32, kMostInt32})
    add("max_steps", [steps](auto& r) { r.set_max_steps(steps); });
  ExpectAllRefused<v1::SubmitTurnRequest, v1::SubmitTurnResponse>(good, &v1::AgentService::Stub::SubmitTurn, cases);
  EXPECT_TRUE(SubmitTurn(id_).ok());
}

TEST_F(FieldsTest, OfSubmitToolResult) {
  v1::SubmitToolResultRequest good;
  good.set_session_id(id_);
  good.set_call_id("c1");
  auto cases = WrongSessionIds<v1::SubmitToolResultRequest>();
  cases.push_back({"call_id", [](auto& r) { r.clear_call_id(); }});
  cases.push_back({"call_id", [](auto& r) { r.set_call_id(std::string(257, 'c')); }});
  cases.push_back({"output", [](auto& r) { r.set_output(std::string((16 << 20) + 1, 'x')); }});
  ExpectAllRefused<v1::SubmitToolResultRequest, v1::SubmitToolResultResponse>(
      good, &v1::AgentService::Stub::SubmitToolResult, cases);
}

TEST_F(FieldsTest, OfCancelTurn) {
  v1::CancelTurnRequest good;
  good.set_session_id(id_);
  auto cases = WrongSessionIds<v1::CancelTurnRequest>();
  cases.push_back({"turn_id", [](auto& r) { r.set_turn_id(std::string(129, 't')); }});
  cases.push_back({"client_key", [](auto& r) { r.set_client_key(std::string(129, 'k')); }});
  ExpectAllRefused<v1::CancelTurnRequest, v1::CancelTurnResponse>(good, &v1::AgentService::Stub::CancelTurn, cases);
}

TEST_F(FieldsTest, OfWatch) {
  const auto refused = [&](const std::string& id, int64_t cursor, const std::string& field) {
    const auto watch = Watch(id, cursor);
    EXPECT_FALSE(watch->Next());
    ExpectRefused(watch->Finish(), field);
  };
  for (const char* id : {"", "../x", "a b"}) refused(id, 0, "session_id");
  refused(std::string(65, 'a'), 0, "session_id");
  for (const int64_t cursor : {int64_t{-1}, kLeastInt64, int64_t{2}, kMostInt64})
    refused(id_, cursor, "after_sequence");
  EXPECT_EQ(Snapshot(), before_);
}

// gRPC reads the bytes before we do: it refuses what is no message, or too large a one, with words of its own.
TEST_F(FieldsTest, BytesThatAreNoMessageAreRefusedByGrpcAndHarmNobody) {
  const std::string text_that_is_no_utf8 = test::WireBytes(1, "bad \xff\xfe");
  const std::string cut = test::WireBytes(1, "whole").substr(0, 4);
  const std::string endless_number = std::string(1, '\x10') + std::string(11, '\xff');
  for (const char* rpc :
       {"CreateSession", "GetSession", "DeleteSession", "SubmitTurn", "SubmitToolResult", "CancelTurn", "Watch"}) {
    for (const std::string& bytes : {text_that_is_no_utf8, cut}) {
      EXPECT_EQ(Raw(rpc, bytes).error_code(), StatusCode::UNIMPLEMENTED) << rpc;
    }
    const grpc::Status large = Raw(rpc, test::WireBytes(1, std::string((64 << 20) + 1, 'x')));
    EXPECT_EQ(large.error_code(), StatusCode::RESOURCE_EXHAUSTED) << rpc;
    EXPECT_EQ(large.error_details(), "") << "details would mean quota";
  }
  EXPECT_EQ(Raw("ListSessions", endless_number).error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Raw("NoSuchMethod", "").error_code(), StatusCode::UNIMPLEMENTED);
  // A field from the future is not an error, and a part of a kind from the future is one without a kind.
  EXPECT_TRUE(Raw("GetSession", test::WireBytes(1, id_) + test::WireBytes(99, "new")).ok());
  ExpectRefused(Raw("SubmitTurn",
                    test::WireBytes(1, id_) + test::WireBytes(2, "k") + test::WireBytes(3, test::WireBytes(99, "new"))),
                "input[0]");
  EXPECT_EQ(Snapshot(), before_);
  EXPECT_TRUE(SubmitTurn(id_).ok());
}

}  // namespace
}  // namespace holdfast::agent
