#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/config/section.h"
#include "common/rpc/tls.h"
#include "quota_service/admission/limit_group.h"
#include "quota_service/upstream/account.h"

namespace holdfast::quota {

struct LimitConfig {
  std::vector<std::string> models;  // empty: every model of the upstream
  std::vector<LimitSpec> limits;
  std::optional<int64_t> concurrent;
};

struct UpstreamConfig {
  Account account;
  std::vector<LimitConfig> limits;
};

struct ModelConfig {
  std::string name;
  std::vector<std::string> upstreams;  // preferred first; empty: the first upstream
  std::string upstream_model;          // empty: `name`
  int64_t context_window = 0;          // tokens; 0: unknown
};

struct TenantConfig {
  std::string name;
  std::string token;
  double weight = 1;
  int64_t tokens_per_day = 0;   // 0: no budget
  double budget_warning = 0.8;  // of tokens_per_day
};

struct ServiceConfig {
  std::string name;
  std::string token;
};

struct FrontDoorConfig {
  Duration max_wait = std::chrono::hours(1);                  // of a streaming request
  Duration max_wait_non_streaming = std::chrono::minutes(5);  // of another
  size_t max_body = size_t{64} * 1024 * 1024;                 // bytes, decoded
};

struct QuotaConfig {
  Address grpc{"127.0.0.1", 50051, ""};
  Address http{"127.0.0.1", 8080, ""};
  Address metrics{"127.0.0.1", 9464, ""};
  std::vector<UpstreamConfig> upstreams;
  std::vector<ModelConfig> models;
  std::vector<TenantConfig> tenants;
  std::vector<ServiceConfig> services;
  FrontDoorConfig frontdoor;
  std::string data_dir;              // where the checkpoint is; empty: nothing is kept
  size_t queue_per_tenant = 10'000;  // calls
  int64_t queue_bytes_per_tenant = int64_t{1} << 30;
  size_t finished_calls_bytes = size_t{256} * 1024 * 1024;
  Duration drain = std::chrono::seconds(30);
  std::optional<TlsServer> tls;
  std::vector<std::string> warnings;  // settings that are read and have no effect yet
};

// Flags and environment as they override or replace the file. Absent: not given.
struct QuotaOverrides {
  std::optional<std::string> upstream_url;
  std::optional<std::string> api_key_env;
  std::optional<Address> grpc, http, metrics;
};

// From `path`, or from the environment alone where it is empty (OPENAI_API_KEY, HOLDFAST_UPSTREAM_URL). Errors name
// file, line, key and remedy.
absl::StatusOr<QuotaConfig> LoadQuotaConfig(const std::string& path, const QuotaOverrides& overrides);
// Reads every key of `root`, save what `overrides` replace; also how the reference is made.
QuotaConfig ReadQuotaConfig(Section& root, const QuotaOverrides& overrides = {});
// What only file and flags together can say.
absl::Status CheckQuotaConfig(const QuotaConfig& config);

}  // namespace holdfast::quota
