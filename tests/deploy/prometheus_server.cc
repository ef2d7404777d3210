#include "tests/deploy/prometheus_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cctype>
#include <cmath>
#include <filesystem>

#include "tests/support/http_call.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

// Where `old` stands exactly once.
void Replace(std::string* text, const std::string& old, const std::string& by) {
  const size_t at = text->find(old);
  if (at == std::string::npos || text->find(old, at + 1) != std::string::npos) {
    ADD_FAILURE() << "\"" << old << "\" is not exactly once in\n" << *text;
    return;
  }
  text->replace(at, old.size(), by);
}

std::string UrlEncoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace

PrometheusServer::PrometheusServer(const Deployment& deployment) {
  std::string config = ReadText(RepositoryFile("deploy/prometheus/prometheus.yml"));
  Replace(&config, "quota-service:9464", deployment.quota_metrics());
  Replace(&config, "agent-service:9465", deployment.agent_metrics());
  Replace(&config, "scrape_interval: 15s", "scrape_interval: 1s");
  Replace(&config, "evaluation_interval: 15s", "evaluation_interval: 1s");
  folder_.Write("prometheus.yml", config);
  std::filesystem::copy(RepositoryFile("deploy/prometheus/alerts.yml"), folder_.path("alerts.yml"));
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"prometheus", "--config.file=" + folder_.path("prometheus.yml"),
                               "--storage.tsdb.path=" + folder_.path("data"), "--web.listen-address=127.0.0.1:0"});
  const std::string key = "msg=\"Listening on\" address=";
  const auto line = process_->WaitForLine(Process::Stream::kErr, key);
  if (!line) {
    ADD_FAILURE() << "prometheus did not start (scripts/test.sh fetches it): " << process_->err();
    return;
  }
  url_ = "http://" + line->substr(line->find(key) + key.size());
}

json::value PrometheusServer::Get(const std::string& path) const {
  const auto reply = HttpCall("GET", url_ + path);
  if (!reply.ok()) {
    ADD_FAILURE() << reply.status();
    return nullptr;
  }
  json::error_code error;
  json::value answer = json::parse(reply->body, error);
  if (error || reply->status != 200 || answer.at("status") != "success") {
    ADD_FAILURE() << path << ": " << reply->body;
    return nullptr;
  }
  return answer.at("data");
}

std::vector<PrometheusServer::Sample> PrometheusServer::Query(const std::string& expression) const {
  std::vector<Sample> samples;
  const json::value data = Get("/api/v1/query?query=" + UrlEncoded(expression));
  if (data.is_null()) return samples;
  for (const json::value& series : data.at("result").as_array()) {
    const double value = std::stod(std::string(series.at("value").at(1).as_string()));
    if (std::isfinite(value)) samples.push_back({series.at("metric").as_object(), value});
  }
  return samples;
}

}  // namespace holdfast::test
