#pragma once

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/deploy/deployment.h"

namespace holdfast::test {

// A real Prometheus with the committed configuration and rules. Changed are the addresses that it scrapes, and the
// intervals: once a second.
class PrometheusServer {
 public:
  explicit PrometheusServer(const Deployment& deployment);

  // The `data` of an answer of its API, for example Get("/api/v1/targets"); null and a failure if it is no success.
  boost::json::value Get(const std::string& path) const;

  struct Sample {
    boost::json::object labels;
    double value;
  };
  // An instant query, now. Samples that are no number (0/0) are left out.
  std::vector<Sample> Query(const std::string& expression) const;

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
  std::string url_;
};

}  // namespace holdfast::test
