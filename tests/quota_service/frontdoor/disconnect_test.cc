#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "common/base/clock.h"
#include "tests/quota_service/frontdoor/http_session.h"
#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using test::HttpSession;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kAsk[] = R"({"model":"m","input":"Hello","stream":true})";
constexpr char kToken[] = "Authorization: Bearer token-of-web\r\n";

// One place at the upstream, so that who has it keeps the others waiting; and a tenant with a budget.
class DisconnectTest : public QuotaServerTestBase {
 protected:
  void SetUp() override {
    config_.upstreams[0].limits.push_back({.models = {}, .limits = {}, .concurrent = 1});
    config_.tenants.push_back({.name = "web", .token = "token-of-web", .tokens_per_day = 1'000'000});
    StartServer();
    upstream().Put("/options", R"({"hold_streams": true})");
  }
  std::unique_ptr<HttpSession> Ask(const std::string& body = kAsk) const {
    auto session = std::make_unique<HttpSession>(server_->http());
    session->Post("/v1/responses", body, kToken);
    return session;
  }
  int64_t Reserved() {
    int64_t reserved = 0;
    Status("token-of-web", [&](const v1::WatchStatusResponse& status) {
      reserved = status.budgets(0).reserved();
      return true;
    });
    return reserved;
  }
  int64_t Queued() {
    int64_t queued = 0;
    const v1::WatchStatusResponse status = Status("token-of-web");
    for (const auto& group : status.upstreams(0).groups()) queued += group.queued();
    return queued;
  }
};

TEST_F(DisconnectTest, TheUpstreamIsLetGoWithin100MsAndThePlaceGivenToTheNext) {
  const auto first = Ask();
  EXPECT_THAT(first->ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  const auto second = Ask();
  Status("token-of-web", [](const v1::WatchStatusResponse& status) {
    return status.upstreams(0).groups_size() > 0 && status.upstreams(0).groups(0).queued() == 1;
  });
  EXPECT_EQ(Sent(), 1U) << "the second one waits";
  const int64_t gone = BootClock::now().time_since_epoch().count();
  first->Close();
  ASSERT_TRUE(upstream().AwaitRequests(
      [](const auto& requests) { return requests.size() == 2 && !requests[0].at("ended_boot_ns").is_null(); }));
  const auto requests = upstream().Requests();
  EXPECT_TRUE(requests[0].at("client_gone").as_bool());
  EXPECT_LT(requests[0].at("ended_boot_ns").as_int64() - gone, 100'000'000) << "ns, by the upstream's own record";
  EXPECT_LT(requests[1].at("boot_ns").as_int64() - gone, 100'000'000);
  upstream().Put("/options", R"({"hold_streams": false})");
  EXPECT_THAT(second->ReadUntil("response.completed"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(DisconnectTest, OneThatWaitedLeavesQueueAndBudgetAsTheyWere) {
  const auto first = Ask();
  EXPECT_THAT(first->ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  const int64_t before = Reserved();
  const std::string large = R"({"model":"m","stream":true,"max_output_tokens":50000,"input":"Hello"})";
  const auto waiting = Ask(large);
  Status("token-of-web",
         [&](const v1::WatchStatusResponse& status) { return status.budgets(0).reserved() == before + 50'000; });
  EXPECT_EQ(Reserved(), before + 50'000);
  waiting->Close();
  Status("token-of-web", [&](const v1::WatchStatusResponse& status) { return status.budgets(0).reserved() == before; });
  EXPECT_EQ(Reserved(), before);
  EXPECT_EQ(Queued(), 0);
  EXPECT_EQ(Status("token-of-web").budgets(0).spent(), 0) << "nothing was sent for it";
  upstream().Put("/options", R"({"hold_streams": false})");
  EXPECT_THAT(first->ReadUntil("response.completed"), HasSubstr("response.completed"));
  EXPECT_EQ(Sent(), 1U);
}

}  // namespace
}  // namespace holdfast::quota
