#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Characters that the gate charges so many tokens for.
std::string TextOf(int64_t tokens) { return std::string(static_cast<size_t>((tokens - 2) * 4), 'x'); }

class StatusCodesTest : public QuotaServerTestBase {
 protected:
  // The upstream's limit as it is at its console, and known to us.
  void Limit(int64_t tokens, int64_t used) {
    upstream().SetLimits(R"({"tokens": {"limit": )" + std::to_string(tokens) + R"(, "used": )" + std::to_string(used) +
                         "}}");
    config_.upstreams[0].limits = {
        {{}, {{Dimension::kTokens, WindowKind::kContinuous, tokens, std::chrono::minutes(1)}}, std::nullopt}};
  }
  grpc::Status Fault(const std::string& fault) {
    upstream().PushFault(R"({"fault": ")" + fault + R"("})");
    return Generate(Request("c1")).status;
  }
};

TEST_F(StatusCodesTest, AWaitLongerThanAllowedIsResourceExhaustedWithTheDelayAndTheLimit) {
  Limit(1000, 0);
  StartServer();
  ASSERT_TRUE(Generate(Request("fills", TextOf(900))).status.ok());
  v1::GenerateRequest request = Request("c1", TextOf(500));
  request.mutable_max_wait()->set_seconds(1);
  const grpc::Status status = Generate(request).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const ErrorDetails details = DetailsOf(status);
  ASSERT_TRUE(details.retry_delay.has_value());
  // 400 more than there are, of 1000 a minute.
  EXPECT_NEAR(ToSeconds(*details.retry_delay), 24.0, 1.0);
  ASSERT_THAT(details.violations, SizeIs(1));
  EXPECT_EQ(details.violations[0].subject, "upstream:sim/*");
  EXPECT_EQ(details.violations[0].metric, "tokens");
  EXPECT_EQ(details.violations[0].value, 1000);
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(StatusCodesTest, AMaxWaitOf0MustFitNow) {
  Limit(1000, 0);
  StartServer();
  v1::GenerateRequest request = Request("c1", TextOf(900));
  request.mutable_max_wait();
  EXPECT_TRUE(Generate(request).status.ok());
  request.set_call_id("c2");
  const grpc::Status status = Generate(request).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(status).retry_delay.has_value());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(StatusCodesTest, ARefusalThatOutlastsThePatienceIsResourceExhaustedWithItsDelay) {
  StartServer();
  upstream().PushFault(R"({"fault": "429", "seconds": 60})");
  v1::GenerateRequest request = Request("c1");
  request.mutable_max_wait()->set_seconds(5);
  const grpc::Status status = Generate(request).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ASSERT_TRUE(DetailsOf(status).retry_delay.has_value());
  EXPECT_NEAR(ToSeconds(*DetailsOf(status).retry_delay), 60, 1);
  EXPECT_THAT(DetailsOf(status).violations, SizeIs(1));
  EXPECT_THAT(status.error_message(), HasSubstr("Rate limit reached"));
}

TEST_F(StatusCodesTest, WhatNeverFitsIsFailedPreconditionAndNamesTheLargestSizeThatDoes) {
  Limit(1000, 0);
  StartServer();
  const grpc::Status status = Generate(Request("c1", TextOf(1001))).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("1001"), HasSubstr("1000")));
  const ErrorDetails details = DetailsOf(status);
  EXPECT_FALSE(details.retry_delay.has_value()) << "no time makes it fit";
  ASSERT_THAT(details.violations, SizeIs(1));
  EXPECT_EQ(details.violations[0].metric, "tokens");
  EXPECT_EQ(details.violations[0].value, 1000);
  EXPECT_EQ(Sent(), 0U);
  EXPECT_TRUE(Generate(Request("c2", TextOf(1000))).status.ok()) << "what is named does fit";
}

TEST_F(StatusCodesTest, WhatTheUpstreamCallsTooLargeIsFailedPreconditionToo) {
  StartServer();
  for (const char* fault : {"too_large", "context_length"}) {
    const grpc::Status status = Fault(fault);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << fault;
    EXPECT_THAT(DetailsOf(status).violations, SizeIs(1)) << fault;
    EXPECT_FALSE(DetailsOf(status).retry_delay.has_value()) << fault;
    EXPECT_THAT(status.error_message(), HasSubstr("upstream sim")) << fault;
  }
}

TEST_F(StatusCodesTest, WhenTheMoneyIsGoneItIsFailedPreconditionWithTheReason) {
  StartServer();
  const grpc::Status status = Fault("insufficient_quota");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim"), HasSubstr("quota")));
  EXPECT_THAT(DetailsOf(status).violations, IsEmpty()) << "that is for what can never fit";
  EXPECT_EQ(Sent(), 1U) << "it is not tried again";
}

TEST_F(StatusCodesTest, WhenTheUpstreamRefusesOurKeyItIsFailedPreconditionAndTheKeyStaysHere) {
  config_.upstreams[0].account.api_key = "sk-wrong-0123456789abcdef";
  StartServer();
  const grpc::Status status = Generate(Request("c1")).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim"), Not(HasSubstr("0123456789abcdef"))));
  EXPECT_THAT(status.error_details(), Not(HasSubstr("0123456789abcdef")));
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(StatusCodesTest, ALongComplaintOfTheUpstreamKeepsItsDetails) {
  StartServer();
  upstream().PushFault(R"({"fault": "503", "seconds": 100, "count": 50})");
  v1::GenerateRequest request = Request("c1");
  request.mutable_max_wait()->set_seconds(2);
  const grpc::Status status = Generate(request).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ASSERT_TRUE(DetailsOf(status).retry_delay.has_value()) << "without it, it would mean a message over the size limit";
  EXPECT_GE(*DetailsOf(status).retry_delay, seconds(100));
}

TEST_F(StatusCodesTest, WhatIsWrongWithARequestIsInvalidArgumentAndNamed) {
  StartServer();
  const std::pair<const char*, std::function<void(v1::GenerateRequest&)>> cases[] = {
      {"call_id", [](auto& r) { r.clear_call_id(); }},
      {"call_id", [](auto& r) { r.set_call_id("white space"); }},
      {"call_id", [](auto& r) { r.set_call_id(std::string(257, 'c')); }},
      {"model", [](auto& r) { r.clear_model(); }},
      {"model", [](auto& r) { r.set_model("a\nb"); }},
      {"model", [](auto& r) { r.set_model(std::string(257, 'm')); }},
      {"items", [](auto& r) { r.clear_items(); }},
      {"items[0]", [](auto& r) { r.mutable_items(0)->Clear(); }},
      {"items[0].message.role", [](auto& r) { r.mutable_items(0)->mutable_message()->clear_role(); }},
      {"after_event", [](auto& r) { r.set_after_event(-1); }},
      {"max_output_tokens", [](auto& r) { r.set_max_output_tokens(-1); }},
      {"max_wait", [](auto& r) { r.mutable_max_wait()->set_seconds(-1); }},
      {"tools[0].name", [](auto& r) { r.add_tools()->set_name("no spaces"); }},
      {"tools[0].parameters",
       [](auto& r) {
         r.add_tools()->set_name("t");
         r.mutable_tools(0)->set_parameters("not json");
       }},
      {"session_id", [](auto& r) { r.set_session_id(std::string(257, 's')); }},
  };
  for (const auto& [field, spoil] : cases) {
    v1::GenerateRequest request = Request("c1");
    spoil(request);
    const grpc::Status status = Generate(request).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_THAT(status.error_message(), HasSubstr(field));
  }
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(StatusCodesTest, AnUpstreamThatIsAwayIsAWaitAndThenResourceExhausted) {
  config_.upstreams[0].account.base_url = "http://127.0.0.1:1/v1";
  StartServer();
  v1::GenerateRequest request = Request("c1");
  request.mutable_max_wait()->set_seconds(1);
  const Generation generation = Generate(request);
  EXPECT_EQ(generation.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(generation.status).retry_delay.has_value());
}

class TenantsTest : public QuotaServerTestBase {
 protected:
  TenantsTest() {
    config_.tenants = {{"a", "token-a"}, {"b", "token-b"}};
    config_.services = {{"agent", "token-agent"}};
    StartServer();
  }
  v1::WhoAmIResponse WhoAmI(const std::string& token) {
    v1::WhoAmIResponse response;
    status_ = Ask(&v1::QuotaService::Stub::WhoAmI, v1::WhoAmIRequest(), &response, token);
    return response;
  }
  static v1::GenerateRequest For(const std::string& tenant) {
    v1::GenerateRequest request = Request("c1");
    request.set_tenant(tenant);
    return request;
  }

  grpc::Status status_;
};

TEST_F(TenantsTest, WhoAmINamesTheTenantOrTheService) {
  EXPECT_EQ(WhoAmI("token-a").tenant(), "a");
  EXPECT_FALSE(WhoAmI("token-b").is_service());
  const v1::WhoAmIResponse service = WhoAmI("token-agent");
  EXPECT_TRUE(service.is_service());
  EXPECT_EQ(service.tenant(), "");
}

TEST_F(TenantsTest, AMissingOrBadTokenIsUnauthenticatedEverywhere) {
  for (const char* token : {"", "token-c", "token-a2", "token-", "TOKEN-A"}) {
    WhoAmI(token);
    EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED) << token;
    EXPECT_THAT(status_.error_message(), Not(HasSubstr("token-"))) << "no token in an error";
    EXPECT_EQ(Generate(Request("c1"), token).status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    v1::GetHeadroomRequest headroom;
    headroom.set_model("m");
    v1::GetHeadroomResponse headroom_response;
    EXPECT_EQ(Ask(&v1::QuotaService::Stub::GetHeadroom, headroom, &headroom_response, token).error_code(),
              grpc::StatusCode::UNAUTHENTICATED);
    v1::GetModelRequest model;
    model.set_model("m");
    v1::GetModelResponse model_response;
    EXPECT_EQ(Ask(&v1::QuotaService::Stub::GetModel, model, &model_response, token).error_code(),
              grpc::StatusCode::UNAUTHENTICATED);
    v1::CancelCallRequest cancel;
    cancel.set_call_id("c1");
    v1::CancelCallResponse cancel_response;
    EXPECT_EQ(Ask(&v1::QuotaService::Stub::CancelCall, cancel, &cancel_response, token).error_code(),
              grpc::StatusCode::UNAUTHENTICATED);
    grpc::ClientContext context;
    Prepare(context, token);
    EXPECT_EQ(stub_->WatchStatus(&context, {})->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(TenantsTest, ATenantCannotNameAnother) {
  EXPECT_EQ(Generate(For("b"), "token-a").status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Generate(For("a"), "token-a").status.ok());
}

TEST_F(TenantsTest, AServiceNamesOneThatExists) {
  EXPECT_EQ(Generate(For(""), "token-agent").status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Generate(For("nobody"), "token-agent").status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Generate(For("agent"), "token-agent").status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(Generate(For("b"), "token-agent").status.ok());
}

TEST_F(TenantsTest, TheSameCallIdOfTwoTenantsIsTwoCalls) {
  v1::GenerateRequest of_b = Request("c1", "another text");
  EXPECT_TRUE(Generate(Request("c1"), "token-a").status.ok());
  EXPECT_TRUE(Generate(of_b, "token-b").status.ok());
  EXPECT_EQ(Sent(), 2U);
  // The service attaches to the call of the tenant that it names.
  of_b.set_tenant("b");
  EXPECT_TRUE(Generate(of_b, "token-agent").status.ok());
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(TenantsTest, NobodyCancelsTheCallOfAnother) {
  upstream().PushFault(R"({"fault": "silence"})");
  const auto reader = Open(Request("c1"), "token-a");
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted));
  v1::CancelCallRequest request;
  request.set_call_id("c1");
  v1::CancelCallResponse response;
  EXPECT_TRUE(Ask(&v1::QuotaService::Stub::CancelCall, request, &response, "token-b").ok());
  EXPECT_FALSE(response.cancelled());
  request.set_tenant("a");
  EXPECT_EQ(Ask(&v1::QuotaService::Stub::CancelCall, request, &response, "token-b").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Ask(&v1::QuotaService::Stub::CancelCall, request, &response, "token-agent").ok());
  EXPECT_TRUE(response.cancelled());
  EXPECT_EQ(reader->Drain().status.error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace holdfast::quota
