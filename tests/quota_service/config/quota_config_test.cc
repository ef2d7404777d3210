#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quota_service/config/config_file.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

// The example of the design, word by word, save for the paths of the certificates.
constexpr char kExample[] = R"(
    listen: {{grpc: "127.0.0.1:50051", http: "127.0.0.1:8080", metrics: "127.0.0.1:9464"}}
    upstreams:
      - name: openai
        base_url: https://api.openai.com/v1
        profile: openai            # openai | azure | moonshot | zhipu | anthropic | openrouter | generic
        api_key: {{env: OPENAI_API_KEY}}
        limits:                    # a starting point; the upstream's answers correct it. Absent: learnt.
          - {{models: ["o4-mini"], tokens_per_minute: 200000, requests_per_minute: 500, concurrent: 64}}
          # any window: requests: {{count: 10, per: 2s}}, tokens: {{count: 1000000, per: 24h, window: fixed}}
    models:                        # optional: aliases, order of preference across upstreams, context window
      - {{name: o4-mini, upstreams: [openai], context_window: 200000}}
    tenants:                       # optional; without it everything is tenant "default", on loopback only
      - {{name: web-team, token: {{env: WEB_TEAM_TOKEN}}, weight: 2, tokens_per_day: 50000000}}
    ledger: {{url: "memory:"}}       # or redis://host:6379
    frontdoor: {{max_wait: 1h, max_wait_non_streaming: 5m, max_body: 64MiB}}
    bounds: {{queue_per_tenant: 10000, finished_calls: 256MiB}}
    tls: {{certificate: {0}, key: {0}, client_ca: {0}}}
)";

TEST(QuotaConfig, LoadsTheExampleOfTheDesign) {
  const ConfigFile file;
  const test::ScopedVariable key("OPENAI_API_KEY", "sk-openai");
  const test::ScopedVariable token("WEB_TEAM_TOKEN", "web-token");
  const auto config = file.Load(fmt::format(kExample, file.folder().Write("a.pem", kPem)));
  ASSERT_TRUE(config.ok()) << config.status();

  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config->http.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config->metrics.ToString(), "127.0.0.1:9464");
  ASSERT_THAT(config->upstreams, SizeIs(1));
  const Account& account = config->upstreams[0].account;
  EXPECT_EQ(account.name, "openai");
  EXPECT_EQ(account.base_url, "https://api.openai.com/v1");
  EXPECT_EQ(account.profile, "openai");
  EXPECT_EQ(account.dialect, "responses");
  EXPECT_EQ(account.api_key, "sk-openai");
  ASSERT_THAT(config->upstreams[0].limits, SizeIs(1));
  const LimitConfig& limit = config->upstreams[0].limits[0];
  EXPECT_THAT(limit.models, ElementsAre("o4-mini"));
  EXPECT_EQ(limit.concurrent, 64);
  ASSERT_THAT(limit.limits, SizeIs(2));
  EXPECT_EQ(limit.limits[0].dimension, Dimension::kTokens);
  EXPECT_EQ(limit.limits[0].count, 200000);
  EXPECT_EQ(limit.limits[0].per, minutes(1));
  EXPECT_EQ(limit.limits[0].kind, WindowKind::kContinuous);
  EXPECT_EQ(limit.limits[1].dimension, Dimension::kRequests);
  EXPECT_EQ(limit.limits[1].count, 500);
  ASSERT_THAT(config->models, SizeIs(1));
  EXPECT_EQ(config->models[0].name, "o4-mini");
  EXPECT_THAT(config->models[0].upstreams, ElementsAre("openai"));
  EXPECT_EQ(config->models[0].context_window, 200000);
  ASSERT_THAT(config->tenants, SizeIs(1));
  EXPECT_EQ(config->tenants[0].name, "web-team");
  EXPECT_EQ(config->tenants[0].token, "web-token");
  EXPECT_EQ(config->tenants[0].weight, 2);
  EXPECT_EQ(config->tenants[0].tokens_per_day, 50'000'000);
  EXPECT_EQ(config->finished_calls_bytes, size_t{256} << 20);
  ASSERT_TRUE(config->tls.has_value());
  EXPECT_EQ(config->tls->client_ca, kPem);
}

TEST(QuotaConfig, WhatHasAnEffectDoesNotWarn) {
  const ConfigFile file;
  const auto config = file.Load(R"(
upstreams: [{name: u, base_url: "http://localhost"}]
tenants:
  - {name: a, token: {env: TOKEN_A}, weight: 2, tokens_per_day: 5}
  - {name: b, token: {env: KEY_A}, tokens_per_day: 6, budget_warning: 0.5}
  - {name: c, token: {env: KEY_B}}
services: [{name: agent, token: {env: TOKEN_B}}]
frontdoor: {max_wait: 2h, max_wait_non_streaming: 1m, max_body: 1MiB}
bounds: {queue_per_tenant: 10, finished_calls: 1MiB, drain: 5s}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_EQ(config->frontdoor.max_wait, std::chrono::hours(2));
  EXPECT_EQ(config->frontdoor.max_wait_non_streaming, std::chrono::minutes(1));
  EXPECT_EQ(config->frontdoor.max_body, size_t{1} << 20);
  EXPECT_EQ(config->drain, seconds(5));
  EXPECT_EQ(config->queue_per_tenant, 10u);
  ASSERT_THAT(config->tenants, SizeIs(3));
  EXPECT_EQ(config->tenants[0].tokens_per_day, 5);
  EXPECT_EQ(config->tenants[0].budget_warning, 0.8);
  EXPECT_EQ(config->tenants[1].budget_warning, 0.5);
  EXPECT_EQ(config->tenants[2].tokens_per_day, 0);
  ASSERT_THAT(config->services, SizeIs(1));
  EXPECT_EQ(config->services[0].token, "token-b");
}

TEST(QuotaConfig, ASmallFileGetsTheDefaults) {
  const ConfigFile file;
  const auto config = file.Load("upstreams: [{name: local, base_url: \"http://127.0.0.1:8000/v1/\"}]");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config->drain, seconds(30));
  const Account& account = config->upstreams[0].account;
  EXPECT_EQ(account.base_url, "http://127.0.0.1:8000/v1") << "no slash at the end";
  EXPECT_EQ(account.profile, "generic");
  EXPECT_EQ(account.dialect, "chat");
  EXPECT_EQ(account.api_key, "");
  EXPECT_EQ(account.connect_timeout, seconds(10));
  EXPECT_EQ(account.stall_timeout, minutes(5));
  EXPECT_EQ(account.run_timeout, hours(1));
}

TEST(QuotaConfig, ReadsEveryKindOfWindow) {
  const ConfigFile file;
  const auto config = file.Load(R"(
upstreams:
  - name: u
    base_url: http://localhost
    dialect: responses
    connect_timeout: 250ms
    limits:
      - requests: {count: 10, per: 2s}
        tokens: {count: 1000000, per: 24h, window: fixed}
      - models: [m]
        tokens: {count: 5, per: 1m, window: continuous}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->upstreams[0].account.dialect, "responses");
  EXPECT_EQ(config->upstreams[0].account.connect_timeout, milliseconds(250));
  const auto& limits = config->upstreams[0].limits;
  ASSERT_THAT(limits, SizeIs(2));
  EXPECT_THAT(limits[0].models, IsEmpty());
  ASSERT_THAT(limits[0].limits, SizeIs(2));
  EXPECT_EQ(limits[0].limits[0].kind, WindowKind::kSliding);
  EXPECT_EQ(limits[0].limits[0].per, seconds(2));
  EXPECT_EQ(limits[0].limits[1].kind, WindowKind::kFixed);
  EXPECT_EQ(limits[0].limits[1].per, hours(24));
  EXPECT_EQ(limits[1].limits[0].kind, WindowKind::kContinuous);
}

TEST(QuotaConfig, FlagsBeatTheFile) {
  const ConfigFile file;
  QuotaOverrides flags;
  flags.upstream_url = "http://127.0.0.1:1/v1/";
  flags.api_key_env = "KEY_B";
  flags.grpc = Address{"127.0.0.1", 1, ""};
  flags.http = Address{"127.0.0.1", 2, ""};
  flags.metrics = Address{"127.0.0.1", 3, ""};
  const auto config = file.Load(R"(
listen: {grpc: "0.0.0.0:50051", http: "0.0.0.0:8080", metrics: "0.0.0.0:9464"}
upstreams:
  - {name: first, base_url: "https://one.example/v1", api_key: {env: KEY_A}}
  - {name: second, base_url: "https://two.example/v1", api_key: {env: KEY_A}}
)",
                                flags);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:1");
  EXPECT_EQ(config->http.ToString(), "127.0.0.1:2");
  EXPECT_EQ(config->metrics.ToString(), "127.0.0.1:3");
  EXPECT_EQ(config->upstreams[0].account.base_url, "http://127.0.0.1:1/v1");
  EXPECT_EQ(config->upstreams[0].account.api_key, "sk-b");
  EXPECT_EQ(config->upstreams[1].account.base_url, "https://two.example/v1");
  EXPECT_EQ(config->upstreams[1].account.api_key, "sk-a");
}

TEST(QuotaConfig, WhatAFlagReplacesNeedNotBeThere) {
  const ConfigFile file;
  const test::ScopedVariable unset("KEY_C", std::nullopt);
  QuotaOverrides flags;
  flags.upstream_url = "http://localhost:1";
  flags.api_key_env = "KEY_B";
  const auto config = file.Load("upstreams: [{name: u, api_key: {env: KEY_C}}]", flags);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->upstreams[0].account.base_url, "http://localhost:1");
  EXPECT_EQ(config->upstreams[0].account.api_key, "sk-b");
}

TEST(QuotaConfigReference, ListsEveryKeyOfTheExampleOnce) {
  Section root = Section::ForReference();
  ReadQuotaConfig(root);
  EXPECT_TRUE(root.Finish().ok());
  std::vector<std::string> paths;
  for (const ConfigKey& key : root.keys()) paths.push_back(key.path);
  for (const char* path : {"listen.grpc",
                           "listen.http",
                           "listen.metrics",
                           "upstreams[].name",
                           "upstreams[].base_url",
                           "upstreams[].profile",
                           "upstreams[].api_key.env",
                           "upstreams[].api_key.file",
                           "upstreams[].limits[].models",
                           "upstreams[].limits[].tokens_per_minute",
                           "upstreams[].limits[].requests_per_minute",
                           "upstreams[].limits[].concurrent",
                           "upstreams[].limits[].requests.count",
                           "upstreams[].limits[].tokens.per",
                           "upstreams[].limits[].tokens.window",
                           "models[].name",
                           "models[].upstreams",
                           "models[].context_window",
                           "tenants[].name",
                           "tenants[].token.env",
                           "tenants[].weight",
                           "tenants[].tokens_per_day",
                           "services[].token.file",
                           "ledger.url",
                           "frontdoor.max_wait",
                           "frontdoor.max_wait_non_streaming",
                           "frontdoor.max_body",
                           "bounds.queue_per_tenant",
                           "bounds.finished_calls",
                           "tls.certificate",
                           "tls.key",
                           "tls.client_ca"}) {
    EXPECT_EQ(std::count(paths.begin(), paths.end(), path), 1) << path;
  }
}

}  // namespace
}  // namespace holdfast::quota
