// The dashboard by the classic model of Grafana's documentation ("Dashboard JSON model"); Grafana itself is not run
// here.
#include "tests/deploy/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/value_to.hpp>
#include <set>

#include "tests/deploy/deployment.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::SizeIs;

TEST(GrafanaDashboard, HasTheFieldsThatProvisioningNeeds) {
  const json::value dashboard = Dashboard();
  EXPECT_EQ(dashboard.at("uid"), "holdfast");
  EXPECT_EQ(dashboard.at("title"), "Holdfast");
  EXPECT_GE(dashboard.at("schemaVersion").to_number<int>(), 16) << "since then places are grid positions";
  const json::object* object = dashboard.if_object();
  EXPECT_FALSE(object->contains("id")) << "a number of one database";
  EXPECT_FALSE(object->contains("__inputs")) << "only the page's import fills these";
}

TEST(GrafanaDashboard, AsksOneSelectableDataSourceAndHasNoOtherVariable) {
  const json::value dashboard = Dashboard();
  const json::array& variables = dashboard.at("templating").at("list").as_array();
  ASSERT_THAT(variables, SizeIs(1));
  EXPECT_EQ(variables[0].at("name"), "datasource");
  EXPECT_EQ(variables[0].at("type"), "datasource");
  EXPECT_EQ(variables[0].at("query"), "prometheus");
  for (const json::value& panel : dashboard.at("panels").as_array()) {
    if (panel.at("type") == "row") continue;
    EXPECT_EQ(panel.at("datasource").at("uid"), "${datasource}") << panel.at("title");
    std::set<std::string> ids;
    for (const json::value& target : panel.at("targets").as_array()) {
      EXPECT_EQ(target.at("datasource").at("uid"), "${datasource}") << panel.at("title");
      EXPECT_TRUE(ids.insert(json::value_to<std::string>(target.at("refId"))).second) << panel.at("title");
      EXPECT_NE(target.at("legendFormat"), "") << panel.at("title");
    }
    EXPECT_FALSE(ids.empty()) << panel.at("title") << " asks nothing";
  }
}

// 24 columns; every cell belongs to one panel at most.
TEST(GrafanaDashboard, PanelsDoNotOverlapAndHaveTheirOwnIds) {
  std::set<int> ids;
  std::set<std::pair<int, int>> taken;
  const json::value dashboard = Dashboard();
  for (const json::value& panel : dashboard.at("panels").as_array()) {
    EXPECT_TRUE(ids.insert(panel.at("id").to_number<int>()).second) << panel.at("title");
    const auto place = [&](const char* key) { return panel.at("gridPos").at(key).to_number<int>(); };
    EXPECT_LE(place("x") + place("w"), 24) << panel.at("title");
    for (int x = place("x"); x < place("x") + place("w"); ++x) {
      for (int y = place("y"); y < place("y") + place("h"); ++y) {
        EXPECT_TRUE(taken.insert({x, y}).second) << panel.at("title") << " covers another";
      }
    }
  }
}

TEST(GrafanaDashboard, AsksOnlyForMetricsThatAreDocumented) {
  const std::string documented = ReadText(RepositoryFile("docs/metrics.md"));
  for (const PanelQuery& query : QueriesOf(Dashboard())) {
    const auto metrics = MetricsOf(query.expression);
    EXPECT_FALSE(metrics.empty()) << query.expression;
    for (std::string metric : metrics) {
      if (metric == "up") continue;
      for (const std::string part : {"_bucket", "_count", "_sum"}) {
        if (metric.ends_with(part)) metric.resize(metric.size() - part.size());
      }
      EXPECT_THAT(documented, HasSubstr("| `" + metric + "` |")) << query.panel;
    }
  }
}

}  // namespace
}  // namespace holdfast::test
