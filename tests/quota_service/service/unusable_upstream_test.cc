// A key that is refused, as those see it who look at the service: callers, status, readiness, metrics.
#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/http_call.h"

namespace holdfast::quota {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class UnusableUpstreamTest : public QuotaServerTestBase {
 protected:
  UnusableUpstreamTest() {
    config_.models.push_back({"both", {"sim", "sim-chat"}, "", 64'000});
    StartServer();
  }
  test::HttpReply Ready() const {
    const auto reply = test::HttpCall("GET", HttpUrl("/readyz"));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *reply : test::HttpReply{};
  }
  v1::WatchStatusResponse Status() {
    grpc::ClientContext context;
    Prepare(context, "");
    const auto reader = stub_->WatchStatus(&context, {});
    v1::WatchStatusResponse status;
    EXPECT_TRUE(reader->Read(&status));
    context.TryCancel();
    return status;
  }
  grpc::Status Try(const std::string& model) {
    v1::GenerateRequest request = Request("call-" + std::to_string(++calls_));
    request.set_model(model);
    return Generate(request).status;
  }
  // Two calls for `model` are refused.
  void Refuse(const std::string& fault = "401", const std::string& model = "m") {
    upstream().PushFault(R"({"count": 2, "fault": ")" + fault + R"("})");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Try(model).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    sent_ = Sent();
  }

  int calls_ = 0;
  size_t sent_ = 0;
};

TEST_F(UnusableUpstreamTest, ARefusedKeyEndsFollowingCallsAtOnceWithTheSameStatus) {
  Refuse();
  for (int i = 0; i < 10; ++i) {
    const grpc::Status status = Try("m");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim refuses the key"), HasSubstr("check the key")));
    EXPECT_THAT(status.error_message(), Not(HasSubstr(kApiKey)));
    EXPECT_TRUE(DetailsOf(status).empty());
  }
  EXPECT_EQ(Sent(), sent_);
  EXPECT_TRUE(Try("chat-model").ok()) << "the other account's key is good";
}

TEST_F(UnusableUpstreamTest, GoneMoneyEndsFollowingCallsAtOnce) {
  Refuse("insufficient_quota");
  const grpc::Status status = Try("m");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim has no money or quota left"), HasSubstr("pay")));
  EXPECT_EQ(Sent(), sent_);
}

TEST_F(UnusableUpstreamTest, StatusAndCheckNameIt) {
  EXPECT_THAT(Status().upstreams(0).unusable(), IsEmpty());
  Refuse();
  const v1::WatchStatusResponse status = Status();
  ASSERT_THAT(status.upstreams(), SizeIs(2));
  EXPECT_THAT(status.upstreams(0).unusable(), AllOf(HasSubstr("refuses the key"), HasSubstr("invalid_api_key"),
                                                    HasSubstr("asks again"), Not(HasSubstr(kApiKey))));
  EXPECT_THAT(status.upstreams(1).unusable(), IsEmpty());

  v1::GetHeadroomRequest request;
  request.set_model("m");
  v1::GetHeadroomResponse response;
  const grpc::Status checked = Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response);
  EXPECT_EQ(checked.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(checked.error_message(), HasSubstr("upstream sim refuses the key"));
}

TEST_F(UnusableUpstreamTest, ReadinessNamesItAndFailsWhereNoUpstreamIsLeft) {
  EXPECT_EQ(Ready().body, "ready\n");
  Refuse();
  test::HttpReply ready = Ready();
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body, AllOf(HasSubstr("ready, but not all upstreams can be used\n"),
                                HasSubstr("upstream sim refuses the key"), Not(HasSubstr(kApiKey))));
  Refuse("insufficient_quota", "chat-model");
  ready = Ready();
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, AllOf(HasSubstr("no upstream can be used"), HasSubstr("upstream sim refuses the key"),
                                HasSubstr("upstream sim-chat has no money or quota left")));
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/healthz"))->status, 200) << "a restart would not help";
}

TEST_F(UnusableUpstreamTest, AModelOfSeveralUpstreamsGoesWhereTheKeyIsGood) {
  Refuse();
  EXPECT_TRUE(Try("both").ok());
  EXPECT_EQ(Sent(), sent_ + 1);
  v1::GetModelRequest request;
  request.set_model("both");
  v1::GetModelResponse model;
  EXPECT_TRUE(Ask(&v1::QuotaService::Stub::GetModel, request, &model).ok());
  EXPECT_EQ(model.dialect(), "chat");

  // What only one account can read stays with it.
  v1::GenerateRequest bound = Request("bound");
  bound.set_model("both");
  v1::Reasoning* reasoning = bound.add_items()->mutable_reasoning();
  reasoning->set_origin("sim");
  reasoning->set_encrypted_content("opaque");
  const grpc::Status status = Generate(bound).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("upstream sim "));
}

TEST_F(UnusableUpstreamTest, MetricsTellWhichUpstreamCannotBeUsed) {
  Refuse();
  const BootTime end = BootClock::now() + test::kPatience;
  while (Metrics().find("holdfast_upstream_usable{upstream=\"sim\"} 0") == std::string::npos &&
         BootClock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_THAT(Metrics(), AllOf(HasSubstr("holdfast_upstream_usable{upstream=\"sim\"} 0"),
                               HasSubstr("holdfast_upstream_usable{upstream=\"sim-chat\"} 1"),
                               HasSubstr("holdfast_upstream_failing{upstream=\"sim\"} 0")));
}

TEST_F(UnusableUpstreamTest, ARestartBeginsAnew) {
  Refuse();
  StopServer();
  StartServer();
  EXPECT_TRUE(Try("m").ok());
}

}  // namespace
}  // namespace holdfast::quota
