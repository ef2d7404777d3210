#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "quota_service/config/config.h"
#include "tests/support/scoped_variable.h"

namespace holdfast::quota {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Value = std::optional<std::string>;

// No file: the environment alone.
absl::StatusOr<QuotaConfig> Load(const Value& key, const Value& url, const QuotaOverrides& overrides = {}) {
  const test::ScopedVariable key_variable("OPENAI_API_KEY", key);
  const test::ScopedVariable url_variable("HOLDFAST_UPSTREAM_URL", url);
  const test::ScopedVariable not_ours("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1");
  return LoadQuotaConfig("", overrides);
}

std::string Refusal(const Value& key, const Value& url, const QuotaOverrides& overrides = {}) {
  return std::string(Load(key, url, overrides).status().message());
}

TEST(ConfigFromEnvironment, AKeyIsEnoughForOpenAi) {
  const auto config = Load("sk-x", std::nullopt);
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_THAT(config->upstreams, SizeIs(1));
  const Account& account = config->upstreams[0].account;
  EXPECT_EQ(account.base_url, "https://api.openai.com/v1");
  EXPECT_EQ(account.api_key, "sk-x");
  EXPECT_EQ(account.profile, "openai");
  EXPECT_EQ(account.dialect, "responses");
  EXPECT_THAT(config->upstreams[0].limits, IsEmpty()) << "limits are learnt";
  EXPECT_THAT(config->tenants, IsEmpty());
  EXPECT_TRUE(config->grpc.is_loopback());
}

TEST(ConfigFromEnvironment, TheUrlIsOursAndNeverTheOneThatClientsUse) {
  EXPECT_EQ(Load("sk-x", "http://127.0.0.1:9/v1/")->upstreams[0].account.base_url, "http://127.0.0.1:9/v1");
  EXPECT_EQ(Load("sk-x", std::nullopt)->upstreams[0].account.base_url, "https://api.openai.com/v1");
}

TEST(ConfigFromEnvironment, EmptyVariablesAreLikeAbsentOnes) {
  const auto config = Load("", "http://127.0.0.1:9/v1");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->upstreams[0].account.api_key, "");
  EXPECT_EQ(Load("sk-x", "")->upstreams[0].account.base_url, "https://api.openai.com/v1");
}

TEST(ConfigFromEnvironment, OpenAiNeedsAKeyAndTheErrorNamesTheVariable) {
  for (const Value& key : {Value(), Value("")}) {
    EXPECT_THAT(Refusal(key, std::nullopt), HasSubstr("OPENAI_API_KEY"));
    EXPECT_THAT(Refusal(key, "https://api.openai.com/v1"), HasSubstr("OPENAI_API_KEY"));
  }
}

TEST(ConfigFromEnvironment, AServerOfOnesOwnNeedsNoKey) {
  const auto config = Load(std::nullopt, "http://127.0.0.1:8000/v1");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->upstreams[0].account.api_key, "");
}

TEST(ConfigFromEnvironment, AKeyThatIsNoneIsAnErrorAndNeverSentNorShown) {
  QuotaOverrides flags;
  flags.upstream_url = "http://localhost:1";
  EXPECT_THAT(Refusal("sk with space", std::nullopt), AllOf(HasSubstr("OPENAI_API_KEY"), Not(HasSubstr("sk with"))));
  EXPECT_THAT(Refusal("sk with space", std::nullopt, flags), HasSubstr("OPENAI_API_KEY"));
}

TEST(ConfigFromEnvironment, FlagsBeatTheEnvironment) {
  const test::ScopedVariable other("OTHER_KEY", "sk-other");
  QuotaOverrides flags;
  flags.upstream_url = "http://127.0.0.1:7/v1";
  flags.api_key_env = "OTHER_KEY";
  flags.grpc = Address{"", 0, "/tmp/quota.sock"};
  const auto config = Load("sk-x", "not even a URL", flags);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->upstreams[0].account.base_url, "http://127.0.0.1:7/v1");
  EXPECT_EQ(config->upstreams[0].account.api_key, "sk-other");
  EXPECT_EQ(config->grpc.ToString(), "unix:/tmp/quota.sock");
}

TEST(ConfigFromEnvironment, AKeyVariableThatAFlagNamesMustBeSet) {
  const test::ScopedVariable unset("OTHER_KEY", std::nullopt);
  QuotaOverrides flags;
  flags.api_key_env = "OTHER_KEY";
  EXPECT_THAT(Refusal("sk-x", "http://127.0.0.1:7/v1", flags), HasSubstr("OTHER_KEY is not set"));
  flags.api_key_env = "sk-pasted-by-mistake";
  EXPECT_THAT(Refusal("sk-x", std::nullopt, flags), Not(HasSubstr("pasted")));
}

TEST(ConfigFromEnvironment, AUrlThatIsNoneNamesWhereItCameFrom) {
  EXPECT_THAT(Refusal("sk-x", "api.openai.com"), AllOf(HasSubstr("HOLDFAST_UPSTREAM_URL: "), HasSubstr("https://")));
  QuotaOverrides flags;
  flags.upstream_url = "ftp://x";
  EXPECT_THAT(Refusal("sk-x", std::nullopt, flags), HasSubstr("--upstream-url: "));
}

TEST(ConfigFromEnvironment, CannotBeReachedFromOtherMachines) {
  for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "quota.example"}) {
    QuotaOverrides flags;
    flags.grpc = Address{host, 50051, ""};
    EXPECT_THAT(Refusal("sk-x", std::nullopt, flags), AllOf(HasSubstr("listen.grpc: "), HasSubstr("tenants"))) << host;
  }
}

TEST(ConfigFromEnvironment, HttpAndMetricsCannotBeSockets) {
  QuotaOverrides flags;
  flags.http = Address{"", 0, "/tmp/http.sock"};
  EXPECT_THAT(Refusal("sk-x", std::nullopt, flags), HasSubstr("listen.http: unix:/tmp/http.sock"));
  flags.http.reset();
  flags.metrics = Address{"", 0, "/tmp/metrics.sock"};
  EXPECT_THAT(Refusal("sk-x", std::nullopt, flags), HasSubstr("listen.metrics: "));
}

}  // namespace
}  // namespace holdfast::quota
