#include "bench/policies/scenarios.h"

#include <algorithm>
#include <cmath>

namespace holdfast::bench {
namespace {

using std::chrono::hours;

Scenario Named(std::string name, std::string about) {
  Scenario scenario;
  scenario.name = std::move(name);
  scenario.about = std::move(about);
  return scenario;
}

Scenario Changing(std::string name, std::string about, bool headers) {
  Scenario scenario = Named(std::move(name), std::move(about));
  scenario.provider.headers = headers;
  scenario.workload.large_senders = 0;  // they do not fit half the limit
  scenario.changes = {{hours(1), 100'000}, {hours(2), 200'000}};
  return scenario;
}

Scenario Kimi(std::string name, std::string about, bool lower_caps) {
  Scenario scenario = Named(std::move(name), std::move(about));
  scenario.provider.charge = ChargeRule::kInputAndCap;
  scenario.provider.headers = false;
  scenario.provider.lower_caps = lower_caps;
  scenario.workload.caps = {32'000};
  return scenario;
}

}  // namespace

std::vector<Scenario> Scenarios() {
  std::vector<Scenario> all;
  all.push_back(Named("sole", "nobody else has the key; a continuous bucket"));

  Scenario foreign = Named("foreign", "others spend 20 % of the tokens with the same key");
  foreign.provider.foreign_share = 0.2;
  all.push_back(foreign);

  Scenario fixed = Named("fixed", "the limit is whole again every minute, and what was left is gone (Azure)");
  fixed.provider.window = Window::kFixed;
  all.push_back(fixed);

  Scenario sliding = Named("sliding", "at most the limit in any minute");
  sliding.provider.window = Window::kSliding;
  all.push_back(sliding);

  Scenario settled = Named("settled", "the gate corrects its charge when the answer has ended");
  settled.provider.charge = ChargeRule::kSettled;
  all.push_back(settled);

  all.push_back(
      Kimi("kimi", "input and cap are charged for good; sessions ask for 32,000, which may be lowered", true));
  all.push_back(Kimi("kimi-fixed", "the same, and the cap stays as it is", false));
  all.push_back(Changing("limit-change", "the limit is halved after 1 h and back after 2 h", /*headers=*/true));
  all.push_back(Changing("limit-change-silent", "the same without headers: refusals alone tell", /*headers=*/false));

  Scenario weights = Named("weights", "three tenants of weights 1, 2 and 5");
  weights.workload.weights = {1, 2, 5};
  weights.workload.sessions = 24;
  weights.workload.large_senders = 0;
  all.push_back(weights);

  Scenario background = Named("background", "half of the sessions are in the background");
  background.workload.background_share = 0.5;
  all.push_back(background);

  Scenario concurrent = Named("concurrent", "at most 4 requests at a time, and many tokens");
  concurrent.provider.tokens_per_minute = 2'000'000;
  concurrent.provider.concurrent = 4;
  all.push_back(concurrent);

  // Demand is near the limit, so that the bucket is full and empty in turn, which is where mirrors go wrong.
  Scenario million = Named("million", "more than 1,000,000 small requests at 2,000,000 tokens a minute");
  million.provider.tokens_per_minute = 2'000'000;
  million.provider.requests_per_minute = 10'000;
  million.workload.sessions = 340;
  million.workload.large_senders = 0;
  million.workload.caps = {0};
  million.workload.first_context = {200, 800};
  million.workload.answer = {10, 100};
  million.workload.tool_result = {10, 50};
  million.workload.forecasts = false;
  million.workload.length = hours(6);
  all.push_back(million);
  return all;
}

std::optional<Scenario> FindScenario(const std::string& name) {
  for (Scenario& scenario : Scenarios()) {
    if (scenario.name == name) return std::move(scenario);
  }
  return std::nullopt;
}

Scenario At(Scenario scenario, double tokens_per_minute) {
  const double factor = tokens_per_minute / scenario.provider.tokens_per_minute;
  scenario.provider.tokens_per_minute = tokens_per_minute;
  scenario.provider.requests_per_minute *= factor;
  scenario.workload.sessions = std::max(1, static_cast<int>(std::lround(scenario.workload.sessions * factor)));
  for (LimitChange& change : scenario.changes) change.tokens_per_minute *= factor;
  return scenario;
}

}  // namespace holdfast::bench
