#include <filesystem>
#include <fstream>

#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::SizeIs;

// What a quota_service still knows after it was started anew.
class RestartTest : public QuotaServerTestBase {
 protected:
  RestartTest() {
    TenantConfig a{"a", "token-a"};
    a.tokens_per_day = 100'000;
    config_.tenants = {a};
    config_.services = {{"agent", "token-agent"}};
    config_.data_dir = folder_.path("data");
  }
  void Restart() {
    StopServer();
    StartServer();
  }
  int64_t Spent() { return Status("token-a").budgets(0).spent(); }

  test::TemporaryFolder folder_;
};

TEST_F(RestartTest, WhatATenantHasSpentStaysSpent) {
  StartServer();
  ASSERT_TRUE(Generate(Request("c1", std::string(40'000, 'x')), "token-a").status.ok());
  const int64_t spent = Spent();
  EXPECT_GT(spent, 5000);
  Restart();
  EXPECT_EQ(Spent(), spent);
  EXPECT_EQ(Status("token-agent").checkpoint_trouble(), "");
}

TEST_F(RestartTest, ADamagedCheckpointIsNamedToServicesAndStopsNothing) {
  StartServer();
  ASSERT_TRUE(Generate(Request("c1"), "token-a").status.ok());
  StopServer();
  std::ofstream(folder_.path("data") + "/quota.db", std::ios::binary | std::ios::trunc) << std::string(9000, '!');
  StartServer();
  EXPECT_EQ(Spent(), 0);
  EXPECT_THAT(Status("token-agent").checkpoint_trouble(), HasSubstr("damaged"));
  EXPECT_EQ(Status("token-a").checkpoint_trouble(), "") << "paths of the server are no tenant's business";
  EXPECT_TRUE(Generate(Request("c2"), "token-a").status.ok());
  Restart();
  EXPECT_GT(Spent(), 0);
}

TEST_F(RestartTest, ACheckpointThatCannotBeKeptIsNamedAndStopsNothing) {
  config_.data_dir = folder_.Write("file", "") + "/below";
  StartServer();
  EXPECT_THAT(Status("token-agent").checkpoint_trouble(), HasSubstr(config_.data_dir.substr(0, 10)));
  EXPECT_TRUE(Generate(Request("c1"), "token-a").status.ok());
}

TEST_F(RestartTest, WithoutAFolderNothingIsKeptAndThatIsSaid) {
  config_.data_dir.clear();
  StartServer();
  EXPECT_THAT(Status("token-agent").checkpoint_trouble(), HasSubstr("data.dir"));
}

TEST_F(RestartTest, LearntLimitsAndTheirLevelsNeedNotBeLearntAgain) {
  upstream().SetLimits(R"({"tokens": {"limit": 20000, "used": 0}})");
  StartServer();
  ASSERT_TRUE(Generate(Request("c1", std::string(40'000, 'x')), "token-a").status.ok());
  Restart();
  v1::GetHeadroomRequest request;
  request.set_model("m");
  request.set_tokens(20'000);
  v1::GetHeadroomResponse response;
  ASSERT_TRUE(Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response, "token-a").ok());
  EXPECT_TRUE(response.limits_known());
  EXPECT_EQ(response.verdict(), v1::GetHeadroomResponse::MUST_WAIT);
  ASSERT_THAT(response.limits(), SizeIs(1));
  EXPECT_EQ(response.limits(0).limit(), 20'000);
  EXPECT_EQ(response.limits(0).source(), "headers");
  EXPECT_LT(response.limits(0).remaining(), 15'000);
  request.set_tokens(20'001);
  ASSERT_TRUE(Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response, "token-a").ok());
  EXPECT_EQ(response.verdict(), v1::GetHeadroomResponse::NEVER_FITS);
}

TEST_F(RestartTest, WhatWasLearntOfAnUpstreamIsForgottenWhenItIsElsewhereOrNoMore) {
  StartServer();
  ASSERT_TRUE(Generate(Request("c1"), "token-a").status.ok());
  Restart();
  EXPECT_THAT(Status("token-a").upstreams(0).groups(), SizeIs(1));
  StopServer();
  config_.upstreams[0].account.base_url = "http://127.0.0.1:1/v1";
  StartServer();
  EXPECT_THAT(Status("token-a").upstreams(0).groups(), SizeIs(0));
  StopServer();
  config_.upstreams[0].account.name = "renamed";
  StartServer();
  EXPECT_THAT(Status("token-a").upstreams(0).groups(), SizeIs(0));
}

}  // namespace
}  // namespace holdfast::quota
