#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class InspectTest : public QuotaServerTestBase {
 protected:
  void Limit(int64_t tokens) {
    config_.upstreams[0].limits = {
        {{"m"}, {{Dimension::kTokens, WindowKind::kContinuous, tokens, std::chrono::minutes(1)}}, std::nullopt}};
  }
  v1::GetModelResponse Model(const std::string& name) {
    v1::GetModelRequest request;
    request.set_model(name);
    v1::GetModelResponse response;
    const grpc::Status status = Ask(&v1::QuotaService::Stub::GetModel, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(InspectTest, HeadroomSaysFitsNowMustWaitAndNeverFits) {
  Limit(1000);
  StartServer();
  EXPECT_EQ(Headroom(1000).verdict(), v1::GetHeadroomResponse::FITS_NOW);
  const v1::GetHeadroomResponse never = Headroom(1001);
  EXPECT_EQ(never.verdict(), v1::GetHeadroomResponse::NEVER_FITS);
  EXPECT_EQ(never.largest_admissible_tokens(), 1000);

  ASSERT_TRUE(Generate(Request("c1", std::string(2392, 'x'))).status.ok());  // 600 tokens
  const v1::GetHeadroomResponse wait = Headroom(500);
  EXPECT_EQ(wait.verdict(), v1::GetHeadroomResponse::MUST_WAIT);
  EXPECT_EQ(wait.wait().reason(), v1::WAIT_REASON_RATE_LIMIT);
  EXPECT_EQ(wait.wait().scope(), "sim/m");
  EXPECT_EQ(wait.wait().dimension(), "tokens");
  EXPECT_EQ(wait.wait().limit(), 1000);
  EXPECT_EQ(wait.wait().window_seconds(), 60);
  EXPECT_NEAR(static_cast<double>(wait.wait().used()), 600, 20);
  EXPECT_EQ(wait.wait().requested(), 500);
  EXPECT_NEAR(wait.wait().seconds(), 6.0, 1.0);
  EXPECT_GT(wait.wait().retry_at().seconds(), 1'700'000'000);
  ASSERT_THAT(wait.limits(), SizeIs(1));
  EXPECT_EQ(wait.limits(0).dimension(), "tokens");
  EXPECT_EQ(wait.limits(0).source(), "configured");
}

TEST_F(InspectTest, AnImageOfUnknownSizeMakesNoRequestOneThatNeverFits) {
  Limit(500);
  StartServer();
  const auto ask = [](const std::string& call, int images) {
    v1::GenerateRequest request = Request(call, "look");
    for (int i = 0; i < images; ++i) {
      v1::Part* part = request.mutable_items(0)->mutable_message()->add_parts();
      part->mutable_image()->set_url("https://example.com/thumbnail");
    }
    return request;
  };
  EXPECT_TRUE(Generate(ask("c1", 1)).status.ok()) << "765 tokens if it is of 1,024 x 1,024";
  EXPECT_EQ(Generate(ask("c2", 6)).status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << "510 at least";
}

TEST_F(InspectTest, HeadroomConsumesNothing) {
  Limit(1000);
  StartServer();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Headroom(1000).verdict(), v1::GetHeadroomResponse::FITS_NOW);
  EXPECT_EQ(Sent(), 0U);
  v1::GenerateRequest request = Request("c1", std::string(3992, 'x'));  // 1000 tokens
  request.mutable_max_wait();
  EXPECT_TRUE(Generate(request).status.ok());
}

TEST_F(InspectTest, HeadroomSaysWhereItGuesses) {
  StartServer();
  const v1::GetHeadroomResponse before = Headroom(1'000'000);
  EXPECT_EQ(before.verdict(), v1::GetHeadroomResponse::FITS_NOW);
  EXPECT_FALSE(before.limits_known());
  EXPECT_EQ(before.largest_admissible_tokens(), 0);

  upstream().SetLimits(R"({"tokens": {"limit": 5000}})");
  ASSERT_TRUE(Generate(Request("c1")).status.ok());
  const v1::GetHeadroomResponse after = Headroom(5001);
  EXPECT_TRUE(after.limits_known());
  EXPECT_EQ(after.verdict(), v1::GetHeadroomResponse::NEVER_FITS);
  EXPECT_EQ(after.largest_admissible_tokens(), 5000);
  ASSERT_THAT(after.limits(), SizeIs(1));
  EXPECT_EQ(after.limits(0).source(), "headers");
}

TEST_F(InspectTest, HeadroomRefusesNonsense) {
  StartServer();
  v1::GetHeadroomRequest request;
  v1::GetHeadroomResponse response;
  grpc::Status status = Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("model"));
  request.set_model("m");
  request.set_tokens(-1);
  status = Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("tokens"));
  request.set_tokens(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Headroom(1'000'000'000'000).verdict(), v1::GetHeadroomResponse::FITS_NOW);
}

TEST_F(InspectTest, GetModelTellsWindowLargestRequestDialectAndUpstreams) {
  Limit(1000);
  config_.models.push_back({"m", {"sim", "sim-chat"}, "", 200'000});
  StartServer();
  const v1::GetModelResponse model = Model("m");
  EXPECT_EQ(model.model(), "m");
  EXPECT_EQ(model.context_window(), 200'000);
  EXPECT_EQ(model.largest_admissible_tokens(), 1000);
  EXPECT_EQ(model.dialect(), "responses");
  EXPECT_THAT(model.upstreams(), ElementsAre("sim", "sim-chat"));
  EXPECT_EQ(Model("chat-model").dialect(), "chat");
  EXPECT_EQ(Model("chat-model").context_window(), 64'000);
}

TEST_F(InspectTest, AModelThatNobodyConfiguredGoesToTheFirstUpstream) {
  StartServer();
  const v1::GetModelResponse model = Model("brand-new");
  EXPECT_EQ(model.context_window(), 0);
  EXPECT_EQ(model.largest_admissible_tokens(), 0);
  EXPECT_THAT(model.upstreams(), ElementsAre("sim"));
}

TEST_F(InspectTest, AnAliasIsSentUnderTheUpstreamsName) {
  config_.models.push_back({"fast", {"sim"}, "real-model-1", 0});
  StartServer();
  v1::GenerateRequest request = Request("c1");
  request.set_model("fast");
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_EQ(upstream().Requests().at(0).at("model"), "real-model-1");
}

TEST_F(InspectTest, WithoutTenantsEverybodyIsTheDefaultOne) {
  StartServer();
  v1::WhoAmIResponse who;
  EXPECT_TRUE(Ask(&v1::QuotaService::Stub::WhoAmI, v1::WhoAmIRequest(), &who, "any-token").ok());
  EXPECT_EQ(who.tenant(), "default");
  EXPECT_FALSE(who.is_service());
}

class WatchStatusTest : public InspectTest {
 protected:
  void Watch() {
    Prepare(context_, "");
    reader_ = stub_->WatchStatus(&context_, {});
  }
  v1::WatchStatusResponse Next() {
    v1::WatchStatusResponse status;
    EXPECT_TRUE(reader_->Read(&status));
    return status;
  }
  static const v1::LimitGroupStatus* Group(const v1::WatchStatusResponse& status, const std::string& name) {
    for (const v1::UpstreamStatus& upstream : status.upstreams()) {
      for (const v1::LimitGroupStatus& group : upstream.groups()) {
        if (group.name() == name) return &group;
      }
    }
    return nullptr;
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchStatusResponse>> reader_;
};

TEST_F(WatchStatusTest, TellsEverythingAtOnce) {
  Limit(1000);
  StartServer();
  Watch();
  const v1::WatchStatusResponse status = Next();
  ASSERT_THAT(status.upstreams(), SizeIs(2));
  EXPECT_EQ(status.upstreams(0).name(), "sim");
  EXPECT_EQ(status.upstreams(1).name(), "sim-chat");
  EXPECT_GT(status.time().seconds(), 1'700'000'000);
  const v1::LimitGroupStatus* group = Group(status, "sim/m");
  ASSERT_NE(group, nullptr);
  ASSERT_THAT(group->limits(), SizeIs(1));
  EXPECT_EQ(group->limits(0).limit(), 1000);
  EXPECT_EQ(group->limits(0).remaining(), 1000);
  EXPECT_EQ(group->in_flight(), 0);
  EXPECT_EQ(group->queued(), 0);
  context_.TryCancel();
}

TEST_F(WatchStatusTest, TellsWhatChangesAndOnlyThat) {
  StartServer();
  Watch();
  EXPECT_THAT(Next().upstreams(0).groups(), SizeIs(0));
  upstream().PushFault(R"({"fault": "silence"})");
  const auto running = Open(Request("c1"));
  ASSERT_TRUE(running->ReadUntil(v1::GenerateEvent::kAdmitted));
  const v1::WatchStatusResponse busy = Next();
  ASSERT_NE(Group(busy, "sim/m"), nullptr);
  EXPECT_EQ(Group(busy, "sim/m")->in_flight(), 1);
  ASSERT_TRUE(Cancel("c1"));
  const v1::WatchStatusResponse idle = Next();
  EXPECT_EQ(Group(idle, "sim/m")->in_flight(), 0);
  running->Drain();
  context_.TryCancel();
}

TEST_F(WatchStatusTest, EndsWithTheService) {
  StartServer();
  Watch();
  Next();
  server_->Stop();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace holdfast::quota
