// docker-compose.yml against the files that it mounts: what one names, the other has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <boost/json/parse.hpp>
#include <set>

#include "common/base/address.h"
#include "tests/deploy/deployment.h"

namespace holdfast::test {
namespace {

using testing::Contains;
using testing::StartsWith;

std::vector<std::string> Texts(const YAML::Node& list) {
  std::vector<std::string> texts;
  for (const auto& entry : list) texts.push_back(entry.as<std::string>());
  return texts;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Every `file: secrets/NAME` below this node.
void CollectSecrets(const YAML::Node& node, std::set<std::string>* names) {
  const std::string folder = "secrets/";
  if (node.IsMap() && node["file"]) {
    const auto path = node["file"].as<std::string>();
    EXPECT_THAT(path, StartsWith(folder));
    names->insert(path.substr(folder.size()));
  }
  if (node.IsMap()) {
    for (const auto& entry : node) CollectSecrets(entry.second, names);
  } else if (node.IsSequence()) {
    for (const auto& entry : node) CollectSecrets(entry, names);
  }
}

// As docker-compose reads it: extensions merged, paths absolute.
class ComposeTest : public testing::Test {
 protected:
  void SetUp() override {
    Process::Options options;
    options.environment = {{"HOME", folder_.path()}};
    Process config({"docker-compose", "--file", RepositoryFile("docker-compose.yml"), "config"}, options);
    ASSERT_EQ(config.WaitForExit(), 0) << config.err();
    compose_ = YAML::Load(config.out());
    quota_ = YAML::LoadFile(RepositoryFile("deploy/compose/quota.yaml"));
    agent_ = YAML::LoadFile(RepositoryFile("deploy/compose/agent.yaml"));
  }

  YAML::Node Service(const std::string& name) const { return compose_["services"][name]; }

  std::set<std::string> SecretsOf(const std::string& service) const {
    std::set<std::string> names;
    for (const auto& secret : Service(service)["secrets"]) names.insert(secret["source"].as<std::string>());
    return names;
  }

  // Where a file or folder of the repository is in the container. Empty: nowhere.
  std::string Mounted(const std::string& service, const std::string& file) const {
    for (const std::string& volume : Texts(Service(service)["volumes"])) {
      const auto parts = Split(volume, ':');
      if (std::filesystem::path(parts[0]) == RepositoryFile(file).lexically_normal()) return parts[1];
    }
    return "";
  }

  TemporaryFolder folder_;
  YAML::Node compose_;
  YAML::Node quota_;
  YAML::Node agent_;
};

TEST_F(ComposeTest, PublishesOnThisMachineOnly) {
  int ports = 0;
  for (const auto& service : compose_["services"]) {
    for (const std::string& port : Texts(service.second["ports"])) {
      EXPECT_THAT(port, StartsWith("127.0.0.1:")) << service.first;
      ++ports;
    }
  }
  EXPECT_GT(ports, 0);
}

TEST_F(ComposeTest, MountsWhatIsThere) {
  for (const auto& service : compose_["services"]) {
    for (const std::string& volume : Texts(service.second["volumes"])) {
      const std::string source = Split(volume, ':')[0];
      const bool there =
          source.starts_with("/") ? std::filesystem::exists(source) : compose_["volumes"][source].IsDefined();
      EXPECT_TRUE(there) << service.first << ": " << volume;
    }
    for (const std::string& secret : SecretsOf(service.first.as<std::string>())) {
      EXPECT_TRUE(compose_["secrets"][secret].IsDefined()) << secret;
    }
  }
}

TEST_F(ComposeTest, EachServiceGetsTheConfigurationThatItIsStartedWith) {
  for (const auto& [service, file] :
       {std::pair("quota-service", "deploy/compose/quota.yaml"), {"agent-service", "deploy/compose/agent.yaml"}}) {
    EXPECT_EQ(Texts(Service(service)["command"]), (std::vector<std::string>{"--config", Mounted(service, file)}));
  }
}

TEST_F(ComposeTest, EachServiceGetsTheSecretsThatItsConfigurationNamesAndNoOther) {
  std::set<std::string> quota;
  CollectSecrets(quota_, &quota);
  std::set<std::string> agent;
  CollectSecrets(agent_, &agent);
  EXPECT_THAT(quota, Contains("openai_api_key"));
  EXPECT_EQ(SecretsOf("quota-service"), quota);
  EXPECT_EQ(SecretsOf("agent-service"), agent);
  EXPECT_EQ(agent, std::set<std::string>{"agent_service_token"}) << "never a key of an upstream";
}

TEST_F(ComposeTest, OurContainersRunReadOnlyAndWithoutRights) {
  for (const char* name : {"quota-service", "agent-service"}) {
    EXPECT_TRUE(Service(name)["read_only"].as<bool>()) << name;
    EXPECT_EQ(Texts(Service(name)["cap_drop"]), std::vector<std::string>{"ALL"}) << name;
    EXPECT_THAT(Texts(Service(name)["security_opt"]), Contains("no-new-privileges:true")) << name;
    EXPECT_EQ(Service(name)["ulimits"]["core"].as<int>(), 0) << name;
  }
}

TEST_F(ComposeTest, ServicesFindOneAnother) {
  const auto port = [](const YAML::Node& address) { return ParseAddress(address.as<std::string>())->port; };
  const auto quota = ParseAddress(agent_["quota"]["address"].as<std::string>());
  ASSERT_TRUE(quota.ok());
  EXPECT_EQ(quota->host, "quota-service");
  EXPECT_EQ(quota->port, port(quota_["listen"]["grpc"]));

  const YAML::Node prometheus = YAML::LoadFile(RepositoryFile("deploy/prometheus/prometheus.yml"));
  std::map<std::string, std::string> targets;
  for (const auto& job : prometheus["scrape_configs"]) {
    targets[job["job_name"].as<std::string>()] = job["static_configs"][0]["targets"][0].as<std::string>();
  }
  const std::map<std::string, std::string> listening = {
      {"quota_service", "quota-service:" + std::to_string(port(quota_["listen"]["metrics"]))},
      {"agent_service", "agent-service:" + std::to_string(port(agent_["listen"]["metrics"]))}};
  EXPECT_EQ(targets, listening);
  for (const auto& [job, target] : targets) EXPECT_TRUE(Service(Split(target, ':')[0]).IsDefined()) << target;
  for (const YAML::Node& listen : {quota_["listen"], agent_["listen"]}) {
    for (const auto& entry : listen) EXPECT_FALSE(ParseAddress(entry.second.as<std::string>())->is_loopback());
  }
}

TEST_F(ComposeTest, PrometheusAndGrafanaFindTheirFiles) {
  EXPECT_THAT(Texts(Service("prometheus")["command"]),
              Contains("--config.file=" + Mounted("prometheus", "deploy/prometheus") + "/prometheus.yml"));
  EXPECT_EQ(Mounted("grafana", "deploy/grafana/provisioning"), "/etc/grafana/provisioning");

  const YAML::Node dashboards = YAML::LoadFile(RepositoryFile("deploy/grafana/provisioning/dashboards/holdfast.yaml"));
  EXPECT_EQ(dashboards["apiVersion"].as<int>(), 1);
  EXPECT_EQ(dashboards["providers"][0]["type"].as<std::string>(), "file");
  EXPECT_EQ(dashboards["providers"][0]["options"]["path"].as<std::string>(),
            Mounted("grafana", "deploy/grafana/dashboards"));
  EXPECT_EQ(Service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as<std::string>(),
            Mounted("grafana", "deploy/grafana/dashboards") + "/holdfast.json");

  const YAML::Node sources = YAML::LoadFile(RepositoryFile("deploy/grafana/provisioning/datasources/prometheus.yaml"));
  EXPECT_EQ(sources["apiVersion"].as<int>(), 1);
  const YAML::Node source = sources["datasources"][0];
  EXPECT_EQ(source["type"].as<std::string>(), "prometheus");
  EXPECT_TRUE(source["isDefault"].as<bool>());
  EXPECT_EQ(source["url"].as<std::string>(), "http://prometheus:9090");
  const YAML::Node prometheus = YAML::LoadFile(RepositoryFile("deploy/prometheus/prometheus.yml"));
  EXPECT_EQ(source["jsonData"]["timeInterval"].as<std::string>(),
            prometheus["global"]["scrape_interval"].as<std::string>());
}

// The health checks and exposed ports of the image are those of the configuration.
TEST_F(ComposeTest, TheImagesProbeWhereTheServicesListen) {
  const std::string dockerfile = ReadText(RepositoryFile("Dockerfile"));
  for (const auto& [service, config] : {std::pair("quota_service", quota_), {"agent_service", agent_}}) {
    const size_t begin = dockerfile.find(std::string(" AS ") + service + "\n");
    ASSERT_NE(begin, std::string::npos) << service;
    const std::string stage = dockerfile.substr(begin, dockerfile.find("\nFROM ", begin) - begin);
    const auto address = ParseAddress(config["listen"]["grpc"].as<std::string>());
    const std::string probe =
        std::string("CMD [\"") + service + "\", \"--health\", \"127.0.0.1:" + std::to_string(address->port) + "\"]";
    EXPECT_NE(stage.find(probe), std::string::npos) << stage;
    for (const auto& entry : config["listen"]) {
      const std::string port = std::to_string(ParseAddress(entry.second.as<std::string>())->port);
      const size_t expose = stage.find("EXPOSE ");
      ASSERT_NE(expose, std::string::npos);
      EXPECT_THAT(Split(stage.substr(expose, stage.find('\n', expose) - expose), ' '), Contains(port));
    }
  }
}

}  // namespace
}  // namespace holdfast::test
