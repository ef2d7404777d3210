#include "quota_service/config/config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <set>

#include "common/config/pem.h"
#include "common/config/secret.h"
#include "quota_service/provider/profile.h"

namespace holdfast::quota {
namespace {

constexpr int64_t kMostTokens = 1'000'000'000'000;
constexpr char kDefaultUpstream[] = "https://api.openai.com/v1";

std::vector<std::string> ProfileChoices() {
  std::vector<std::string> names;
  for (const ProviderProfile& profile : Profiles()) names.emplace_back(profile.name);
  return names;
}

void ReadWindow(Section& entry, const char* key, Dimension dimension, std::vector<LimitSpec>& limits) {
  entry.Map(key, "At most `count` within `per`.", [&](Section& window) {
    LimitSpec spec;
    spec.dimension = dimension;
    spec.kind = WindowKind::kSliding;
    const auto count = window.Integer("count", 1, kMostTokens, "How many.");
    const auto per = window.Time("per", "Within what time, for example 2s or 24h.");
    const auto kind = window.OneOf(
        "window", {"continuous", "sliding", "fixed"},
        "How the provider counts: a bucket that refills, any span, or windows one after the other. Default: sliding.");
    if (kind == "continuous") spec.kind = WindowKind::kContinuous;
    if (kind == "fixed") spec.kind = WindowKind::kFixed;
    if (!count) window.Fail("count", "is required");
    if (!per || *per <= Duration::zero()) window.Fail("per", "is required and longer than 0");
    spec.count = count.value_or(1);
    spec.per = per.value_or(std::chrono::minutes(1));
    limits.push_back(spec);
  });
}

LimitConfig ReadLimit(Section& entry) {
  LimitConfig limit;
  limit.models = entry.Strings("models", "The models that share this limit. Absent: all models of the upstream.");
  const auto minute = [&](const char* key, Dimension dimension, const char* doc) {
    if (const auto count = entry.Integer(key, 1, kMostTokens, doc)) {
      limit.limits.push_back({dimension, WindowKind::kContinuous, *count, std::chrono::minutes(1)});
    }
  };
  minute("tokens_per_minute", Dimension::kTokens, "A bucket of this many tokens that refills within a minute.");
  minute("requests_per_minute", Dimension::kRequests, "A bucket of this many requests that refills within a minute.");
  limit.concurrent = entry.Integer("concurrent", 1, 1'000'000, "Calls under way at the same time.");
  ReadWindow(entry, "requests", Dimension::kRequests, limit.limits);
  ReadWindow(entry, "tokens", Dimension::kTokens, limit.limits);
  return limit;
}

UpstreamConfig ReadUpstream(Section& entry) {
  UpstreamConfig upstream;
  Account& account = upstream.account;
  account.name = entry.String("name", "Its name in status, metrics and `models`. Required.").value_or("");
  account.base_url =
      entry.String("base_url", "Where its API begins, for example https://api.openai.com/v1. Required.").value_or("");
  account.profile = entry.OneOf("profile", ProfileChoices(), "How the provider counts and speaks. Default: generic.")
                        .value_or("generic");
  account.dialect =
      entry.OneOf("dialect", {"responses", "chat"}, "The API that typed calls use. Default: the profile's.")
          .value_or("");
  account.api_key =
      entry.Secret("api_key", "The key that pays. Absent: requests go without Authorization.").value_or("");
  account.connect_timeout =
      entry.Time("connect_timeout", "For one connection. Default: 10s.").value_or(account.connect_timeout);
  account.stall_timeout =
      entry
          .Time("stall_timeout",
                "The longest silence between two events of an answer; comments do not count. Default: 5m.")
          .value_or(account.stall_timeout);
  account.run_timeout = entry.Time("run_timeout", "For one attempt from sending to its last event. Default: 1h.")
                            .value_or(account.run_timeout);
  entry.List("limits", "What is known of its limits; the upstream's answers correct it. Absent: learnt.",
             [&](Section& limit) { upstream.limits.push_back(ReadLimit(limit)); });
  if (account.name.empty()) entry.Fail("name", "is required");
  if (!account.base_url.starts_with("http://") && !account.base_url.starts_with("https://")) {
    entry.Fail("base_url", "must begin with https:// or http://");
  }
  if (account.stall_timeout <= Duration::zero()) entry.Fail("stall_timeout", "must be longer than 0");
  if (account.run_timeout <= Duration::zero()) entry.Fail("run_timeout", "must be longer than 0");
  if (account.connect_timeout <= Duration::zero()) entry.Fail("connect_timeout", "must be longer than 0");
  return upstream;
}

}  // namespace

QuotaConfig ReadQuotaConfig(Section& root) {
  QuotaConfig config;
  root.Map("listen", "Where it listens: host:port, or unix:PATH for gRPC.", [&](Section& listen) {
    config.grpc = listen.Listen("grpc", "Default: 127.0.0.1:50051.").value_or(config.grpc);
    config.http = listen.Listen("http", "Default: 127.0.0.1:8080.").value_or(config.http);
    config.metrics = listen.Listen("metrics", "Default: 127.0.0.1:9464.").value_or(config.metrics);
  });
  root.List("upstreams", "The accounts that answer calls. Required.",
            [&](Section& entry) { config.upstreams.push_back(ReadUpstream(entry)); });
  root.List(
      "models", "Names, where they are served, and how large their windows are. Others go to the first upstream.",
      [&](Section& entry) {
        ModelConfig model;
        model.name = entry.String("name", "As callers name it. Required.").value_or("");
        model.upstreams = entry.Strings("upstreams", "In order of preference. Absent: the first upstream.");
        model.upstream_model =
            entry.String("upstream_model", "As the upstream names it. Default: `name`.").value_or("");
        model.context_window =
            entry.Integer("context_window", 1, kMostTokens, "Tokens of input and output together. Absent: unknown.")
                .value_or(0);
        if (model.name.empty()) entry.Fail("name", "is required");
        config.models.push_back(std::move(model));
      });
  root.List("tenants", "Who may call, by token. Absent: everything is tenant \"default\", on loopback only.",
            [&](Section& entry) {
              TenantConfig tenant;
              tenant.name = entry.String("name", "Its name in metrics and sessions. Required.").value_or("");
              tenant.token = entry.Secret("token", "Its bearer token. Required.").value_or("");
              tenant.weight =
                  entry.Number("weight", 0.001, 1000, "Its share of a contended limit against the others'. Default: 1.")
                      .value_or(1);
              tenant.tokens_per_day =
                  entry.Integer("tokens_per_day", 1, kMostTokens, "Its budget. Absent: none.").value_or(0);
              if (tenant.name.empty()) entry.Fail("name", "is required");
              if (!entry.Has("token")) entry.Fail("token", "is required: {env: NAME} or {file: PATH}");
              if (entry.Has("weight"))
                config.warnings.push_back("tenants[].weight: the queue is first in, first out in this version");
              if (entry.Has("tokens_per_day"))
                config.warnings.push_back("tenants[].tokens_per_day: budgets are not enforced in this version");
              config.tenants.push_back(std::move(tenant));
            });
  root.List("services", "Services that may call on behalf of any tenant, for example agent_service.",
            [&](Section& entry) {
              ServiceConfig service;
              service.name = entry.String("name", "Its name in logs. Required.").value_or("");
              service.token = entry.Secret("token", "Its bearer token. Required.").value_or("");
              if (service.name.empty()) entry.Fail("name", "is required");
              if (!entry.Has("token")) entry.Fail("token", "is required: {env: NAME} or {file: PATH}");
              config.services.push_back(std::move(service));
            });
  root.Map("ledger", "Who keeps limits and queue.", [&](Section& ledger) {
    const auto url = ledger.String("url", "memory: (this process). Default: memory:.");
    if (url && *url != "memory:")
      ledger.Fail("url", fmt::format("\"{}\" is not supported by this version; write memory:", *url));
  });
  root.Map("frontdoor", "The OpenAI-compatible HTTP front door.", [&](Section& door) {
    door.Time("max_wait", "How long a streaming request may be held.");
    door.Time("max_wait_non_streaming", "How long another request may be held.");
    door.Bytes("max_body", 1024, int64_t{1} << 40, "The largest request body.");
    config.warnings.push_back("frontdoor: the front door is not served by this version");
  });
  root.Map("bounds", "Bounds on memory.", [&](Section& bounds) {
    if (bounds.Integer("queue_per_tenant", 1, 10'000'000, "Calls that a tenant may have waiting.")) {
      config.warnings.push_back("bounds.queue_per_tenant: not enforced in this version");
    }
    if (const auto bytes = bounds.Bytes("finished_calls", 0, int64_t{1} << 40,
                                        "Completed calls kept for a caller that comes back. Default: 256MiB.")) {
      config.finished_calls_bytes = static_cast<size_t>(*bytes);
    }
    config.drain =
        bounds.Time("drain", "How long SIGTERM waits for running calls. Default: 30s.").value_or(config.drain);
  });
  config.tls = ReadTlsServer(root);
  return config;
}

absl::Status CheckQuotaConfig(const QuotaConfig& config) {
  const auto bad = [](std::string message) { return absl::InvalidArgumentError(message); };
  if (config.upstreams.empty()) return bad("upstreams: at least one is required");
  std::set<std::string> upstreams, names, tokens;
  for (const UpstreamConfig& upstream : config.upstreams) {
    if (!upstreams.insert(upstream.account.name).second)
      return bad(fmt::format("upstreams: the name \"{}\" is there twice", upstream.account.name));
    std::set<std::string> models;
    for (const LimitConfig& limit : upstream.limits) {
      std::vector<std::string> of = limit.models;
      if (of.empty()) of.push_back("");
      for (const std::string& model : of) {
        if (!models.insert(model).second) {
          return bad(
              fmt::format("upstreams: {}: the model \"{}\" is in two of its limits; put all windows into one entry",
                          upstream.account.name, model.empty() ? "(all)" : model));
        }
      }
    }
  }
  for (const ModelConfig& model : config.models) {
    if (!names.insert(model.name).second) return bad(fmt::format("models: the name \"{}\" is there twice", model.name));
    for (const std::string& upstream : model.upstreams) {
      if (!upstreams.contains(upstream))
        return bad(fmt::format("models: {}: there is no upstream \"{}\"", model.name, upstream));
    }
  }
  names.clear();
  const auto check_token = [&](const std::string& name, const std::string& token) {
    if (!names.insert(name).second)
      return bad(fmt::format("tenants and services: the name \"{}\" is there twice", name));
    if (!tokens.insert(token).second)
      return bad(fmt::format("tenants and services: \"{}\" has the token of another", name));
    return absl::OkStatus();
  };
  for (const TenantConfig& tenant : config.tenants) {
    if (absl::Status status = check_token(tenant.name, tenant.token); !status.ok()) return status;
  }
  for (const ServiceConfig& service : config.services) {
    if (absl::Status status = check_token(service.name, service.token); !status.ok()) return status;
  }
  if (config.tenants.empty() && !config.grpc.is_loopback()) {
    return bad(
        fmt::format("listen.grpc: {} can be reached from other machines; configure tenants, or listen on 127.0.0.1",
                    config.grpc.ToString()));
  }
  if (config.http.is_unix() || config.metrics.is_unix())
    return bad("listen.http and listen.metrics: must be host:port");
  return absl::OkStatus();
}

absl::StatusOr<QuotaConfig> LoadQuotaConfig(const std::string& path, const QuotaOverrides& overrides) {
  QuotaConfig config;
  if (path.empty()) {
    UpstreamConfig upstream;
    const char* url = std::getenv("HOLDFAST_UPSTREAM_URL");
    upstream.account.name = "openai";
    upstream.account.profile = "openai";
    upstream.account.base_url = url != nullptr && *url != '\0' ? url : kDefaultUpstream;
    const std::string variable = overrides.api_key_env.value_or("OPENAI_API_KEY");
    auto key = ReadSecretFromEnv(variable);
    if (key.ok()) {
      upstream.account.api_key = *std::move(key);
    } else if (overrides.api_key_env || std::getenv(variable.c_str()) != nullptr ||
               upstream.account.base_url == kDefaultUpstream) {
      if (!overrides.upstream_url || overrides.api_key_env) return key.status();
    }
    config.upstreams.push_back(std::move(upstream));
  } else {
    auto root = Section::ParseFile(path);
    if (!root.ok()) return root.status();
    config = ReadQuotaConfig(*root);
    if (absl::Status status = root->Finish(); !status.ok()) return status;
    if (overrides.api_key_env && !config.upstreams.empty()) {
      auto key = ReadSecretFromEnv(*overrides.api_key_env);
      if (!key.ok()) return key.status();
      config.upstreams.front().account.api_key = *std::move(key);
    }
  }
  if (overrides.upstream_url && !config.upstreams.empty())
    config.upstreams.front().account.base_url = *overrides.upstream_url;
  if (overrides.grpc) config.grpc = *overrides.grpc;
  if (overrides.http) config.http = *overrides.http;
  if (overrides.metrics) config.metrics = *overrides.metrics;
  for (UpstreamConfig& upstream : config.upstreams) {
    std::string& url = upstream.account.base_url;
    while (url.ends_with('/')) url.pop_back();
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      return absl::InvalidArgumentError(
          fmt::format("the upstream URL \"{}\" must begin with https:// or http://", url));
    }
    if (upstream.account.dialect.empty()) upstream.account.dialect = FindProfile(upstream.account.profile)->dialect;
  }
  if (absl::Status status = CheckQuotaConfig(config); !status.ok()) {
    return absl::Status(status.code(), path.empty() ? std::string(status.message())
                                                    : fmt::format("{}: {}", path, std::string(status.message())));
  }
  return config;
}

}  // namespace holdfast::quota
