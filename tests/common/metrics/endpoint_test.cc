#include "common/metrics/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>

#include "tests/support/http_call.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const Address kAnyPort{"127.0.0.1", 0, ""};

TEST(MetricsEndpointTest, ServesTheRegistryAsItIsAtThatMoment) {
  const auto registry = std::make_shared<prometheus::Registry>();
  auto& counter = prometheus::BuildCounter().Name("calls_total").Help("Calls").Register(*registry).Add({{"a", "b"}});
  const auto endpoint = MetricsEndpoint::Start(kAnyPort, registry);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  const std::string url = "http://" + (*endpoint)->address().ToString() + "/metrics";
  EXPECT_THAT(test::HttpCall("GET", url)->body, HasSubstr("calls_total{a=\"b\"} 0\n"));
  counter.Increment(3);
  const auto reply = test::HttpCall("GET", url + "?name=x");
  EXPECT_EQ(reply->status, 200);
  EXPECT_THAT(reply->body, HasSubstr("calls_total{a=\"b\"} 3\n"));
}

TEST(MetricsEndpointTest, AnAddressThatIsTakenIsNamed) {
  const auto registry = std::make_shared<prometheus::Registry>();
  const auto first = MetricsEndpoint::Start(kAnyPort, registry);
  const auto second = MetricsEndpoint::Start((*first)->address(), registry);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*first)->address().ToString()));
}

}  // namespace
}  // namespace holdfast
