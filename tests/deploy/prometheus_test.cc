// Both services scraped by a real Prometheus: every query of the dashboard and every metric of the alerts has data.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tests/deploy/dashboard.h"
#include "tests/deploy/deployment.h"
#include "tests/deploy/prometheus_server.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;
using testing::IsSupersetOf;

// What Grafana puts in for the variables of a page that shows five minutes.
std::string Substituted(std::string expression) {
  const std::map<std::string, std::string> variables = {{"$__rate_interval", "1m"}, {"$__range", "5m"}};
  for (const auto& [name, value] : variables) {
    for (size_t at = expression.find(name); at != std::string::npos; at = expression.find(name, at)) {
      expression.replace(at, name.size(), value);
    }
  }
  EXPECT_EQ(expression.find('$'), std::string::npos) << "a variable that this test does not know: " << expression;
  return expression;
}

class PrometheusTest : public testing::Test {
 protected:
  // Four turns of two tenants on two models: one waits because the limit is spent, one is refused by the upstream. Both
  // waits are of 4 s or so, so that a turn that starts late finds the limit spent all the same.
  void RunTurns() {
    const auto expect_done = [](std::unique_ptr<Process> exec, bool waited) {
      ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
      EXPECT_EQ(exec->err().find("rate limited") != std::string::npos, waited) << exec->err();
    };
    const std::string web = deployment_.Secret("web_team_token");
    const std::string data = deployment_.Secret("data_team_token");
    deployment_.simulator().SetScript(R"({"limits": {"tokens": {"limit": 60000, "used": 0}},
        "answers": [{"when": {"last_user_contains": "spend"}, "text": "Spent.", "set_used": {"tokens": 60000}}],
        "default": {"text": "The answer.", "chunks": 4, "event_delay_ms": 20,
                    "usage": {"input_tokens": 900, "cached_tokens": 100, "output_tokens": 90, "reasoning_tokens": 10}}})");
    expect_done(deployment_.Exec(web, "spend"), false);
    expect_done(deployment_.Exec(web, "hello " + std::string(14000, 'x')), true);
    deployment_.simulator().SetLimits(R"({"tokens": {"limit": 60000, "used": 0}})");
    expect_done(deployment_.Exec(data, "hello", {"--model", "gpt-4.1"}), false);
    // As if another program had spent the key: that cannot be foreseen.
    deployment_.simulator().SetLimits(R"({"tokens": {"limit": 60000, "used": 64000}})");
    expect_done(deployment_.Exec(data, "hello", {"--model", "gpt-4.1"}), true);
    turns_ += 4;
  }

  // Polls until `holds`; true if it came so.
  bool Await(const std::function<bool()>& holds) {
    const BootTime end = BootClock::now() + kPatience;
    while (!holds()) {
      if (BootClock::now() > end || HasFailure()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return true;
  }

  double Value(const std::string& expression) const {
    const auto samples = prometheus_.Query(expression);
    return samples.empty() ? 0 : samples.front().value;
  }

  // Until both services were scraped with all turns so far in.
  void AwaitScrape() {
    ASSERT_TRUE(Await([this] {
      return Value(R"(sum(holdfast_turns_total{outcome="completed"}))") == turns_ &&
             Value(R"(sum(holdfast_calls_total{outcome="completed"}))") == turns_;
    }));
  }

  Deployment deployment_;
  PrometheusServer prometheus_{deployment_};
  int turns_ = 0;
};

TEST_F(PrometheusTest, EveryQueryOfTheDashboardAndEveryMetricOfTheAlertsHasData) {
  // Rates need two scrapes, with something in between.
  RunTurns();
  AwaitScrape();
  RunTurns();
  AwaitScrape();
  ASSERT_FALSE(HasFailure()) << deployment_.logs();

  std::map<std::string, std::string> health;
  const json::value targets = prometheus_.Get("/api/v1/targets");
  for (const json::value& target : targets.at("activeTargets").as_array()) {
    health[std::string(target.at("labels").at("job").as_string())] = target.at("health").as_string();
  }
  EXPECT_EQ(health, (std::map<std::string, std::string>{{"quota_service", "up"}, {"agent_service", "up"}}));

  const auto queries = QueriesOf(Dashboard());
  EXPECT_GE(queries.size(), 20u);
  for (const PanelQuery& query : queries) {
    const std::string expression = Substituted(query.expression);
    EXPECT_TRUE(Await([&] { return !prometheus_.Query(expression).empty(); }))
        << query.panel << " has no data: " << expression;
  }

  int alerts = 0;
  const json::value rules = prometheus_.Get("/api/v1/rules");
  for (const json::value& group : rules.at("groups").as_array()) {
    for (const json::value& rule : group.at("rules").as_array()) {
      ++alerts;
      EXPECT_EQ(rule.at("health"), "ok") << rule;
      EXPECT_NE(rule.at("state"), "firing") << rule.at("name") << " without a reason";
      const auto metrics = MetricsOf(std::string(rule.at("query").as_string()));
      EXPECT_FALSE(metrics.empty()) << rule.at("query");
      for (const std::string& metric : metrics) {
        EXPECT_FALSE(prometheus_.Query(metric).empty()) << rule.at("name") << ": " << metric << " has no data";
      }
    }
  }
  EXPECT_GE(alerts, 1);
}

TEST_F(PrometheusTest, WhatItShowsIsWhatHappened) {
  RunTurns();
  AwaitScrape();
  ASSERT_FALSE(HasFailure()) << deployment_.logs();
  const std::map<std::string, double> expected = {
      {R"(holdfast_tokens_total{tenant="web-team", model="o4-mini", kind="cached_input"})", 100},
      {R"(holdfast_tokens_total{tenant="data-team", model="gpt-4.1", kind="input"})", 1800},
      {R"(holdfast_tokens_total{tenant="data-team", model="gpt-4.1", kind="reasoning"})", 20},
      {R"(sum(holdfast_upstream_rate_limited_total{dimension="tokens"}))", 1},
      {R"(sum(holdfast_upstream_responses_total{code="429"}))", 1},
      {R"(sum(holdfast_calls_total{outcome!="completed"}) or vector(0))", 0},
      {R"(holdfast_limit_tokens{model="o4-mini"})", 60000},
  };
  for (const auto& [expression, value] : expected) {
    EXPECT_TRUE(Await([&] { return Value(expression) == value; })) << expression << " is " << Value(expression);
  }
  // One waited for the limit, one for the refusal; the two others did not.
  EXPECT_EQ(Value(R"(sum(holdfast_admission_wait_seconds_bucket{le="0.5"}))") + 2,
            Value(R"(sum(holdfast_admission_wait_seconds_count))"));
}

}  // namespace
}  // namespace holdfast::test
