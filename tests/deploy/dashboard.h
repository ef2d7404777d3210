#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

namespace holdfast::test {

// deploy/grafana/dashboards/holdfast.json.
boost::json::value Dashboard();

struct PanelQuery {
  std::string panel;
  std::string expression;
};

// Every query of every panel, those of collapsed rows too.
std::vector<PanelQuery> QueriesOf(const boost::json::value& dashboard);

// The metrics that a PromQL expression names.
std::vector<std::string> MetricsOf(const std::string& expression);

}  // namespace holdfast::test
