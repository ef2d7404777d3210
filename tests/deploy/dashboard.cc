#include "tests/deploy/dashboard.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <regex>

#include "tests/deploy/deployment.h"

namespace holdfast::test {

namespace json = boost::json;

json::value Dashboard() {
  json::error_code error;
  json::value dashboard = json::parse(ReadText(RepositoryFile("deploy/grafana/dashboards/holdfast.json")), error);
  EXPECT_FALSE(error) << error.message();
  return dashboard;
}

std::vector<PanelQuery> QueriesOf(const json::value& dashboard) {
  std::vector<PanelQuery> queries;
  for (const json::value& panel : dashboard.at("panels").as_array()) {
    if (const json::value* targets = panel.as_object().if_contains("targets")) {
      for (const json::value& target : targets->as_array()) {
        queries.push_back({std::string(panel.at("title").as_string()), std::string(target.at("expr").as_string())});
      }
    }
    if (panel.as_object().contains("panels")) {
      for (PanelQuery& inner : QueriesOf(panel)) queries.push_back(std::move(inner));
    }
  }
  return queries;
}

std::vector<std::string> MetricsOf(const std::string& expression) {
  static const std::regex metric(R"(\b(?:up|holdfast_\w+|gen_ai_\w+_(?:bucket|count|sum|total))\b)");
  std::vector<std::string> names;
  for (std::sregex_iterator match(expression.begin(), expression.end(), metric), end; match != end; ++match) {
    names.push_back(match->str());
  }
  return names;
}

}  // namespace holdfast::test
