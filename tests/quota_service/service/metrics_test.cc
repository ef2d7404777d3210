#include <regex>
#include <set>

#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/http_call.h"

namespace holdfast::quota {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsSubsetOf;
using testing::Le;
using testing::Not;
using testing::SizeIs;

class MetricsTest : public QuotaServerTestBase {
 protected:
  // Every value of a label, over all metrics.
  static std::set<std::string> Values(const std::string& page, const std::string& label) {
    std::set<std::string> values;
    const std::regex pattern("[{,]" + label + "=\"([^\"]*)\"");
    for (std::sregex_iterator it(page.begin(), page.end(), pattern), end; it != end; ++it) values.insert((*it)[1]);
    return values;
  }
  static std::set<std::string> Labels(const std::string& page) {
    std::set<std::string> labels;
    const std::regex pattern("[{,]([a-z_]+)=\"");
    for (std::sregex_iterator it(page.begin(), page.end(), pattern), end; it != end; ++it) labels.insert((*it)[1]);
    return labels;
  }
  // The page, once it holds `text`; the levels are published once a second.
  std::string PageWith(const std::string& text) {
    const BootTime end = BootClock::now() + test::kPatience;
    std::string page = Metrics();
    while (page.find(text) == std::string::npos && BootClock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      page = Metrics();
    }
    EXPECT_THAT(page, HasSubstr(text));
    return page;
  }
};

TEST_F(MetricsTest, HasEveryMetricThatTheDesignNames) {
  config_.upstreams[0].limits = {
      {{"m"}, {{Dimension::kTokens, WindowKind::kContinuous, 100'000, std::chrono::seconds(1)}}, std::nullopt}};
  StartServer();
  upstream().SetScript(R"({"default": {"text": "x", "usage": {"input_tokens": 1100, "cached_tokens": 300,
                                        "output_tokens": 70, "reasoning_tokens": 20}}})");
  ASSERT_TRUE(Generate(Request("c1")).status.ok());
  // Two that do not fit into one second together: the second is announced a wait.
  v1::GenerateRequest large = Request("c3", std::string(320'000, 'x'));
  ASSERT_TRUE(Generate(large).status.ok());
  large.set_call_id("c4");
  const Generation waited = Generate(large);
  ASSERT_TRUE(waited.status.ok());
  ASSERT_GT(waited.Count(v1::GenerateEvent::kWait), 0);
  upstream().PushFault(R"({"fault": "429", "seconds": 0.05})");
  ASSERT_TRUE(Generate(Request("c2")).status.ok());

  const std::string page = PageWith("holdfast_limit_tokens{");
  for (const char* line :
       {"holdfast_tokens_total{kind=\"input\",model=\"m\",tenant=\"default\",upstream=\"sim\"} 4400",
        "holdfast_tokens_total{kind=\"cached_input\",model=\"m\",tenant=\"default\",upstream=\"sim\"} 1200",
        "holdfast_tokens_total{kind=\"output\",model=\"m\",tenant=\"default\",upstream=\"sim\"} 280",
        "holdfast_tokens_total{kind=\"reasoning\",model=\"m\",tenant=\"default\",upstream=\"sim\"} 80",
        "holdfast_calls_total{model=\"m\",outcome=\"completed\",tenant=\"default\",upstream=\"sim\"} 4",
        "holdfast_upstream_responses_total{code=\"200\",model=\"m\",upstream=\"sim\"} 4",
        "holdfast_upstream_responses_total{code=\"429\",model=\"m\",upstream=\"sim\"} 1",
        "holdfast_upstream_rate_limited_total{dimension=\"tokens\",model=\"m\",upstream=\"sim\"} 1",
        "holdfast_admission_wait_seconds_bucket{", "holdfast_admission_queue_depth{model=\"m\",upstream=\"sim\"} ",
        "holdfast_limit_tokens{model=\"m\",upstream=\"sim\"} ",
        "holdfast_remaining_tokens{model=\"m\",upstream=\"sim\"} ", "holdfast_time_to_first_token_seconds_bucket{",
        "holdfast_wait_forecast_error_seconds_bucket{", "gen_ai_client_token_usage_bucket{",
        "gen_ai_server_time_to_first_token_seconds_bucket{", "gen_ai_client_operation_duration_seconds_bucket{",
        "gen_ai_token_type=\"input\"", "gen_ai_token_type=\"output\""}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  EXPECT_THAT(Labels(page), IsSubsetOf({"tenant", "model", "upstream", "kind", "outcome", "code", "dimension", "le",
                                        "quantile", "gen_ai_operation_name", "gen_ai_provider_name",
                                        "gen_ai_request_model", "gen_ai_token_type"}));
}

TEST_F(MetricsTest, CountsFailuresByTheirKind) {
  StartServer();
  upstream().PushFault(R"({"fault": "insufficient_quota"})");
  EXPECT_FALSE(Generate(Request("c1")).status.ok());
  upstream().PushFault(R"({"fault": "silence"})");
  const auto reader = Open(Request("c2"));
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted));
  ASSERT_TRUE(Cancel("c2"));
  reader->Drain();
  const std::string page = Metrics();
  EXPECT_THAT(page, HasSubstr("outcome=\"quota_exhausted\""));
  EXPECT_THAT(page, HasSubstr("outcome=\"cancelled\""));
}

TEST_F(MetricsTest, LabelsAreBoundedWhateverCallersSend) {
  config_.tenants = {{"a", "token-a"}};
  config_.services = {{"agent", "token-agent"}};
  StartServer();
  constexpr int kModels = 130;
  for (int i = 0; i < kModels; ++i) {
    v1::GenerateRequest request = Request("c" + std::to_string(i));
    request.set_model("invented-" + std::to_string(i));
    ASSERT_TRUE(Generate(request, "token-a").status.ok());
  }
  // What an upstream does not know never becomes a label.
  upstream().PushFault(R"({"fault": "context_length"})");
  v1::GenerateRequest refused = Request("refused");
  refused.set_model("never-answered");
  EXPECT_FALSE(Generate(refused, "token-a").status.ok());
  v1::GenerateRequest stranger = Request("s1");
  stranger.set_tenant("stranger");
  EXPECT_FALSE(Generate(stranger, "token-agent").status.ok());
  EXPECT_FALSE(Generate(Request("s2"), "no-token").status.ok());

  const std::string page = PageWith("holdfast_admission_queue_depth{");
  const std::set<std::string> models = Values(page, "model");
  EXPECT_THAT(models, SizeIs(Le(103U)));
  EXPECT_TRUE(models.contains("other"));
  EXPECT_FALSE(models.contains("never-answered"));
  EXPECT_THAT(Values(page, "tenant"), IsSubsetOf({"a"}));
  EXPECT_THAT(Values(page, "upstream"), IsSubsetOf({"sim", "sim-chat"}));
  EXPECT_THAT(page, Not(HasSubstr("call_id")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr(kApiKey)), Not(HasSubstr("token-a"))));
}

TEST_F(MetricsTest, AModelThatGetsItsOwnLabelLeavesNothingBehindUnderOther) {
  StartServer();
  upstream().PushFault(R"({"fault": "503", "seconds": 3})");
  const auto reader = Open(Request("c1"));
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kWait));
  PageWith("holdfast_admission_queue_depth{model=\"other\",upstream=\"sim\"}");
  ASSERT_TRUE(reader->Drain().status.ok());
  const std::string page = PageWith("holdfast_admission_queue_depth{model=\"m\",upstream=\"sim\"} 0");
  EXPECT_THAT(page, Not(HasSubstr("holdfast_admission_queue_depth{model=\"other\"")));
}

TEST_F(MetricsTest, HealthzAndReadyzAnswer) {
  StartServer();
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/healthz"))->status, 200);
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/readyz"))->status, 200);
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/nothing"))->status, 404);
}

}  // namespace
}  // namespace holdfast::quota
