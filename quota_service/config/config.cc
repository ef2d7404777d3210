#include "quota_service/config/config.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/base/state_dir.h"
#include "common/config/secret.h"
#include "quota_service/config/base_url.h"
#include "quota_service/provider/profile.h"

namespace holdfast::quota {
namespace {

constexpr char kDefaultUpstream[] = "https://api.openai.com/v1";
constexpr char kUrlVariable[] = "HOLDFAST_UPSTREAM_URL";
constexpr char kKeyVariable[] = "OPENAI_API_KEY";

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

absl::Status Prefixed(const std::string& where, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", where, Words(status)));
}

// Empty where it is not set, or set to nothing, as compose files do.
std::string Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// One upstream from the environment. A local server needs no key; OpenAI does.
absl::StatusOr<UpstreamConfig> UpstreamFromEnvironment(const QuotaOverrides& overrides) {
  UpstreamConfig upstream;
  upstream.account.name = "openai";
  upstream.account.profile = "openai";
  upstream.account.base_url = kDefaultUpstream;
  if (!overrides.upstream_url && !Variable(kUrlVariable).empty()) {
    upstream.account.base_url = Variable(kUrlVariable);
    if (absl::Status status = CheckBaseUrl(upstream.account.base_url); !status.ok()) {
      return Prefixed(kUrlVariable, status);
    }
  }
  const std::string variable = overrides.api_key_env.value_or(kKeyVariable);
  const bool needed =
      overrides.api_key_env || (!overrides.upstream_url && upstream.account.base_url == kDefaultUpstream);
  if (!needed && Variable(variable).empty()) return upstream;
  auto key = ReadSecretFromEnv(variable);
  if (!key.ok()) return key.status();
  upstream.account.api_key = *std::move(key);
  return upstream;
}

absl::Status ApplyToFirst(std::vector<UpstreamConfig>& upstreams, const QuotaOverrides& overrides) {
  if (upstreams.empty()) return absl::OkStatus();
  Account& account = upstreams.front().account;
  if (overrides.api_key_env) {
    auto key = ReadSecretFromEnv(*overrides.api_key_env);
    if (!key.ok()) return Prefixed("--api-key-env", key.status());
    account.api_key = *std::move(key);
  }
  if (overrides.upstream_url) {
    if (absl::Status status = CheckBaseUrl(*overrides.upstream_url); !status.ok()) {
      return Prefixed("--upstream-url", status);
    }
    account.base_url = *overrides.upstream_url;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckQuotaConfig(const QuotaConfig& config) {
  for (const auto& [key, address] : {std::pair("grpc", &config.grpc), std::pair("http", &config.http)}) {
    if (!config.tenants.empty() || address->is_loopback()) continue;
    return absl::InvalidArgumentError(
        fmt::format("listen.{}: {} can be reached from other machines; configure tenants, or listen on 127.0.0.1", key,
                    address->ToString()));
  }
  for (const auto& [key, address] : {std::pair("http", &config.http), std::pair("metrics", &config.metrics)}) {
    if (address->is_unix()) {
      return absl::InvalidArgumentError(
          fmt::format("listen.{}: {} is not possible here; write host:port", key, address->ToString()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<QuotaConfig> LoadQuotaConfig(const std::string& path, const QuotaOverrides& overrides) {
  QuotaConfig config;
  if (path.empty()) {
    auto upstream = UpstreamFromEnvironment(overrides);
    if (!upstream.ok()) return upstream.status();
    config.upstreams.push_back(*std::move(upstream));
  } else {
    auto root = Section::ParseFile(path);
    if (!root.ok()) return root.status();
    config = ReadQuotaConfig(*root, overrides);
    if (absl::Status status = root->Finish(); !status.ok()) return status;
  }
  if (absl::Status status = ApplyToFirst(config.upstreams, overrides); !status.ok()) return status;
  if (overrides.grpc) config.grpc = *overrides.grpc;
  if (overrides.http) config.http = *overrides.http;
  if (overrides.metrics) config.metrics = *overrides.metrics;
  for (UpstreamConfig& upstream : config.upstreams) {
    std::string& url = upstream.account.base_url;
    while (url.ends_with('/')) url.pop_back();
    if (upstream.account.dialect.empty()) upstream.account.dialect = FindProfile(upstream.account.profile)->dialect;
  }
  if (config.data_dir.empty()) config.data_dir = StateDirectory().value_or("");
  if (absl::Status status = CheckQuotaConfig(config); !status.ok()) {
    return path.empty() ? status : Prefixed(path, status);
  }
  return config;
}

}  // namespace holdfast::quota
