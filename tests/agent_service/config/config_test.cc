#include "agent_service/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace holdfast::agent {
namespace {

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

class AgentConfigTest : public testing::Test {
 protected:
  AgentConfigTest() : folder_(testing::TempDir() + "agent_config_test." + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    setenv("XDG_STATE_HOME", folder_.c_str(), 1);
  }
  ~AgentConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text, const std::string& name = "agent.yaml") const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  absl::StatusOr<AgentConfig> Load(const std::string& text, const AgentOverrides& overrides = {}) const {
    return LoadAgentConfig(Write(text), overrides);
  }
  // The error of this file: INVALID_ARGUMENT, and it names the file with this line.
  std::string ErrorOf(const std::string& text, int line) const {
    const auto config = Load(text);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << config.status() << "\n" << text;
    const std::string message(config.status().message());
    EXPECT_THAT(message, HasSubstr("agent.yaml:" + std::to_string(line) + ": ")) << text;
    return message;
  }

  const std::string folder_;
};

TEST_F(AgentConfigTest, WithoutAFileEverythingHasADefault) {
  const auto config = LoadAgentConfig("", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:50052");
  EXPECT_EQ(config->metrics.ToString(), "127.0.0.1:9465");
  EXPECT_EQ(config->quota.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config->store_path, folder_ + "/holdfast/sessions.db");
  EXPECT_EQ(config->default_max_wait, std::chrono::minutes(15));
  EXPECT_EQ(config->default_attended_max_wait, std::chrono::hours(1));
  EXPECT_EQ(config->default_model, "");
  EXPECT_EQ(config->quota_credential, "");
  EXPECT_FALSE(config->tls);
  EXPECT_FALSE(config->quota_tls);
}

TEST_F(AgentConfigTest, AnEmptyFileIsNoFile) { EXPECT_TRUE(Load("").ok()); }

TEST_F(AgentConfigTest, ReadsEveryKey) {
  const std::string pem = Write(kPem, "some.pem");
  setenv("AGENT_CONFIG_TEST_TOKEN", "secret-token", 1);
  const auto config = Load(
      "listen: {grpc: \"unix:/run/agent.sock\", metrics: \"127.0.0.1:0\"}\n"
      "quota: {address: \"quota:50051\", credential: {env: AGENT_CONFIG_TEST_TOKEN}, tls: {ca: " +
      pem + "}}\n" + "store: {url: \"sqlite:/var/lib/holdfast/s.db\"}\n" +
      "defaults: {model: o4-mini, max_wait: 90s, max_wait_attended: 2h}\n" + "tls: {certificate: " + pem +
      ", key: " + pem + "}\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "unix:/run/agent.sock");
  EXPECT_EQ(config->metrics.port, 0);
  EXPECT_EQ(config->quota.ToString(), "quota:50051");
  EXPECT_EQ(config->quota_credential, "secret-token");
  ASSERT_TRUE(config->quota_tls);
  EXPECT_EQ(config->quota_tls->server_ca, kPem);
  EXPECT_EQ(config->store_path, "/var/lib/holdfast/s.db");
  EXPECT_EQ(config->default_model, "o4-mini");
  EXPECT_EQ(config->default_max_wait, std::chrono::seconds(90));
  EXPECT_EQ(config->default_attended_max_wait, std::chrono::hours(2));
  ASSERT_TRUE(config->tls);
  EXPECT_EQ(config->tls->key, kPem);
}

TEST_F(AgentConfigTest, AFlagBeatsTheFile) {
  AgentOverrides overrides;
  overrides.grpc = Address{"127.0.0.1", 1, ""};
  overrides.metrics = Address{"127.0.0.1", 2, ""};
  overrides.quota = Address{"127.0.0.1", 3, ""};
  overrides.store = "sqlite:/tmp/flag.db";
  const auto config = Load(
      "listen: {grpc: \"127.0.0.1:11\", metrics: \"127.0.0.1:12\"}\n"
      "quota: {address: \"127.0.0.1:13\"}\nstore: {url: \"sqlite:/tmp/file.db\"}\n",
      overrides);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.port, 1);
  EXPECT_EQ(config->metrics.port, 2);
  EXPECT_EQ(config->quota.port, 3);
  EXPECT_EQ(config->store_path, "/tmp/flag.db");
}

TEST_F(AgentConfigTest, UnknownKeysNameTheKnownOnes) {
  EXPECT_THAT(ErrorOf("store: {url: \"sqlite:x\"}\nlisen: {}\n", 2),
              AllOf(HasSubstr("lisen: unknown key"), HasSubstr("listen")));
  EXPECT_THAT(ErrorOf("quota:\n  address: \"q:1\"\n  adress: \"q:2\"\n", 3),
              AllOf(HasSubstr("quota.adress: unknown key"), HasSubstr("credential")));
}

TEST_F(AgentConfigTest, WrongValuesNameKeyAndRemedy) {
  EXPECT_THAT(ErrorOf("listen:\n  grpc: nowhere\n", 2), AllOf(HasSubstr("listen.grpc: "), HasSubstr("host:port")));
  EXPECT_THAT(ErrorOf("quota:\n  address: \"q:99999\"\n", 2), AllOf(HasSubstr("quota.address: "), HasSubstr("65535")));
  EXPECT_THAT(ErrorOf("\ndefaults:\n  max_wait: 15\n", 3), AllOf(HasSubstr("defaults.max_wait: "), HasSubstr("15m")));
  EXPECT_THAT(ErrorOf("defaults:\n  max_wait: -1s\n", 2), HasSubstr("defaults.max_wait: "));
  EXPECT_THAT(ErrorOf("defaults: [1]\n", 1), AllOf(HasSubstr("defaults: "), HasSubstr("mapping")));
  EXPECT_THAT(ErrorOf("store:\n  url: [a]\n", 2), HasSubstr("store.url: must be a single value"));
}

TEST_F(AgentConfigTest, StoresThatThisVersionLacksNameOneThatItHas) {
  for (const char* url : {"postgresql://db/x", "sqlite:", "/var/x.db", ""}) {
    EXPECT_THAT(ErrorOf(std::string("store:\n  url: \"") + url + "\"\n", 2),
                AllOf(HasSubstr("store.url: "), HasSubstr("sqlite:PATH")));
  }
  AgentOverrides overrides;
  overrides.store = "redis:x";
  const auto config = LoadAgentConfig("", overrides);
  EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(config.status().message()), AllOf(HasSubstr("--store"), HasSubstr("sqlite:PATH")));
}

TEST_F(AgentConfigTest, ASecretInTheFileIsRefusedAndNotRepeated) {
  const std::string message = ErrorOf("quota:\n  credential: hunter2\n", 2);
  EXPECT_THAT(message, AllOf(HasSubstr("quota.credential: "), HasSubstr("{env: NAME}")));
  EXPECT_THAT(message, testing::Not(HasSubstr("hunter2")));
}

TEST_F(AgentConfigTest, ASecretThatIsNotThereNamesWhereItShouldBe) {
  unsetenv("AGENT_CONFIG_TEST_ABSENT");
  EXPECT_THAT(ErrorOf("quota:\n  credential: {env: AGENT_CONFIG_TEST_ABSENT}\n", 2),
              AllOf(HasSubstr("quota.credential"), HasSubstr("AGENT_CONFIG_TEST_ABSENT is not set")));
  EXPECT_THAT(ErrorOf("quota:\n  credential: {file: " + folder_ + "/absent}\n", 2),
              AllOf(HasSubstr("quota.credential"), HasSubstr("/absent")));
}

TEST_F(AgentConfigTest, TlsNeedsBothHalvesAndReadableFiles) {
  const std::string pem = Write(kPem, "some.pem");
  EXPECT_THAT(ErrorOf("tls:\n  certificate: " + pem + "\n", 2), HasSubstr("tls.key: is required"));
  EXPECT_THAT(ErrorOf("tls:\n  certificate: " + folder_ + "/absent\n  key: " + pem + "\n", 2),
              AllOf(HasSubstr("tls.certificate: "), HasSubstr("/absent")));
  EXPECT_THAT(ErrorOf("quota:\n  tls:\n    certificate: " + pem + "\n", 3), HasSubstr("quota.tls.certificate: "));
}

TEST_F(AgentConfigTest, FilesThatAreNotYamlOrNotThereSaySo) {
  EXPECT_THAT(ErrorOf("listen: {grpc: \"127.0.0.1:1\"\nx", 2), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf("- a\n- b\n", 1), HasSubstr("mapping"));
  const auto config = LoadAgentConfig(folder_ + "/absent.yaml", {});
  EXPECT_TRUE(absl::IsNotFound(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/absent.yaml"));
}

TEST_F(AgentConfigTest, AnOpenDoorNeedsACredential) {
  const std::string open = "listen: {grpc: \"0.0.0.0:50052\"}\n";
  const auto config = Load(open);
  EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(config.status().message()),
              AllOf(HasSubstr("listen.grpc"), HasSubstr("quota.credential"), HasSubstr("127.0.0.1")));
  setenv("AGENT_CONFIG_TEST_TOKEN", "secret-token", 1);
  EXPECT_TRUE(Load(open + "quota: {credential: {env: AGENT_CONFIG_TEST_TOKEN}}\n").ok());
  AgentOverrides overrides;
  overrides.grpc = Address{"0.0.0.0", 1, ""};
  EXPECT_FALSE(LoadAgentConfig("", overrides).ok());
}

TEST_F(AgentConfigTest, MetricsAreNotServedOnAUnixSocket) {
  const auto config = Load("listen: {metrics: \"unix:/run/m.sock\"}\n");
  EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("listen.metrics"));
}

TEST_F(AgentConfigTest, WithoutAHomeTheStoreMustBeNamed) {
  unsetenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string saved = home == nullptr ? "" : home;
  unsetenv("HOME");
  EXPECT_TRUE(absl::IsFailedPrecondition(LoadAgentConfig("", {}).status()));
  AgentOverrides overrides;
  overrides.store = "sqlite:/tmp/x.db";
  EXPECT_TRUE(LoadAgentConfig("", overrides).ok());
  if (home != nullptr) setenv("HOME", saved.c_str(), 1);
}

TEST_F(AgentConfigTest, TheReferenceListsEveryKey) {
  Section root = Section::ForReference();
  ReadAgentConfig(root);
  std::vector<std::string> paths;
  for (const ConfigKey& key : root.keys()) {
    paths.push_back(key.path);
    EXPECT_FALSE(key.doc.empty()) << key.path;
  }
  for (const char* path : {"listen.grpc", "listen.metrics", "quota.address", "quota.credential.env", "quota.tls.ca",
                           "store.url", "defaults.model", "defaults.max_wait", "tls.certificate", "tls.key"}) {
    EXPECT_THAT(paths, Contains(path));
  }
}

}  // namespace
}  // namespace holdfast::agent
