#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "tests/quota_service/frontdoor/http_session.h"
#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using test::HttpSession;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kSmallBuffer = 64 * 1024;

// Clients that take their answers slowly, or not at all.
class SlowClientsTest : public QuotaServerTestBase {
 protected:
  void SetUp() override {
    StartServer();
    // 30 MB in all, since the text comes in deltas and then whole in four events: more than any system buffers.
    upstream().SetScript(fmt::format(
        R"({{"answers": [{{"when": {{"last_user_contains": "much"}}, "text": "{}", "chunks": 200}}], "default": {{"text": "OK."}}}})",
        std::string(6'000'000, 'x')));
  }
  bool Completed(size_t index, Duration patience) const {
    return upstream().AwaitRequests(
        [index](const auto& requests) { return requests.size() > index && requests[index].at("completed").as_bool(); },
        patience);
  }
};

TEST_F(SlowClientsTest, OneThatStopsReadingHoldsItsUpstreamUpAndNobodyElse) {
  HttpSession slow(server_->http(), kSmallBuffer);
  slow.Post("/v1/responses", R"({"model":"m","input":"much","stream":true})", "Connection: close\r\n");
  EXPECT_THAT(slow.ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  HttpSession quick(server_->http());
  quick.Post("/v1/responses", R"({"model":"m","input":"Hello","stream":true})", "Connection: close\r\n");
  EXPECT_THAT(quick.ReadAll(), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("response.completed")));
  EXPECT_FALSE(Completed(0, std::chrono::seconds(1))) << "the upstream cannot say more than fits between";
  const std::string all = slow.ReadAll();
  EXPECT_THAT(all.substr(all.size() - 7'000'000, 1'000'000), HasSubstr("event: response.completed\n"));
  EXPECT_TRUE(all.ends_with("\r\n0\r\n\r\n"));
  EXPECT_TRUE(Completed(0, std::chrono::seconds(10)));
}

TEST_F(SlowClientsTest, OneThatGoesWhileItsUpstreamIsHeldUpCancelsIt) {
  HttpSession slow(server_->http(), kSmallBuffer);
  slow.Post("/v1/responses", R"({"model":"m","input":"much","stream":true})");
  EXPECT_THAT(slow.ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  slow.Close();
  EXPECT_TRUE(
      upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("client_gone").as_bool(); }));
}

}  // namespace
}  // namespace holdfast::quota
