#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "common/config/pem.h"
#include "common/config/shown.h"
#include "quota_service/config/base_url.h"
#include "quota_service/config/config.h"
#include "quota_service/provider/profile.h"

namespace holdfast::quota {
namespace {

constexpr int64_t kMostTokens = 1'000'000'000'000;
constexpr size_t kMostName = 128;

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

std::vector<std::string> ProfileChoices() {
  std::vector<std::string> names;
  for (const ProviderProfile& profile : Profiles()) names.emplace_back(profile.name);
  return names;
}

// Reads the file's sections. What one entry says is checked against the entries before it, so that an error names a
// line.
class Reader {
 public:
  explicit Reader(const QuotaOverrides& overrides) : overrides_(overrides) {}

  QuotaConfig Read(Section& root);

 private:
  std::string Name(Section& entry, const char* doc, std::set<std::string>& taken);
  std::string Token(Section& entry);

  void Upstream(Section& entry);
  LimitConfig Limit(Section& entry, std::set<std::string>& limited);
  void Model(Section& entry);
  void Tenant(Section& entry);
  void Service(Section& entry);
  void Bounds(Section& bounds);

  const QuotaOverrides& overrides_;
  QuotaConfig config_;
  std::set<std::string> upstreams_;
  std::set<std::string> models_;
  std::set<std::string> callers_;
  std::set<std::string> tokens_;
};

// Goes into metrics, logs and the names of limit groups ("<upstream>/<model>").
std::string Reader::Name(Section& entry, const char* doc, std::set<std::string>& taken) {
  const std::string name = entry.String("name", doc).value_or("");
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("._@:-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (name.empty()) {
    entry.Fail("name", "is required");
  } else if (name.size() > kMostName || !std::all_of(name.begin(), name.end(), allowed)) {
    entry.Fail("name", fmt::format("must be 1 to {} characters of [A-Za-z0-9._@:-]", kMostName));
  } else if (!taken.insert(name).second) {
    entry.Fail("name", fmt::format("\"{}\" is there twice; names must differ", name));
  }
  return name;
}

std::string Reader::Token(Section& entry) {
  const std::string token = entry.Secret("token", "Its bearer token. Required.").value_or("");
  if (token.empty()) {
    entry.Fail("token", "is required: {env: NAME} or {file: PATH}");
  } else if (!tokens_.insert(token).second) {
    entry.Fail("token", "is that of another; every tenant and service needs its own");
  }
  return token;
}

void ReadWindow(Section& entry, const char* key, Dimension dimension, std::vector<LimitSpec>& limits) {
  entry.Map(key, "At most `count` within `per`.", [&](Section& window) {
    LimitSpec spec;
    spec.dimension = dimension;
    spec.kind = WindowKind::kSliding;
    const auto count = window.Integer("count", 1, kMostTokens, "How many. Required.");
    const auto per = window.Time("per", "Within what time, for example 2s or 24h. Required.");
    const auto kind = window.OneOf(
        "window", {"continuous", "sliding", "fixed"},
        "How the provider counts: a bucket that refills, any span, or windows one after the other. Default: sliding.");
    if (kind == "continuous") spec.kind = WindowKind::kContinuous;
    if (kind == "fixed") spec.kind = WindowKind::kFixed;
    if (!count) window.Fail("count", "is required");
    if (!per || *per <= Duration::zero()) window.Fail("per", "is required and longer than 0");
    spec.count = count.value_or(1);
    spec.per = per.value_or(std::chrono::minutes(1));
    // Of two requests the later one may travel faster.
    constexpr Duration kSlack = std::chrono::milliseconds(25);
    if (spec.kind == WindowKind::kSliding) spec.slack = std::min<Duration>(kSlack, spec.per / 20);
    limits.push_back(spec);
  });
}

LimitConfig Reader::Limit(Section& entry, std::set<std::string>& limited) {
  LimitConfig limit;
  limit.models = entry.Strings("models", "The models that share this limit. Absent: all models of the upstream.");
  std::vector<std::string> covered = limit.models;
  if (covered.empty()) covered.push_back("(all)");
  for (const std::string& model : covered) {
    if (limited.insert(model).second) continue;
    entry.Fail("models", fmt::format("\"{}\" is in two limits of this upstream; put all its windows into one", model));
  }
  const auto minute = [&](const char* key, Dimension dimension, const char* doc) {
    if (const auto count = entry.Integer(key, 1, kMostTokens, doc)) {
      limit.limits.push_back({dimension, WindowKind::kContinuous, *count, std::chrono::minutes(1)});
    }
  };
  minute("tokens_per_minute", Dimension::kTokens, "A bucket of this many tokens that refills within a minute.");
  minute("input_tokens_per_minute", Dimension::kInputTokens,
         "The same of input tokens alone, where they are limited apart.");
  minute("output_tokens_per_minute", Dimension::kOutputTokens, "The same of output tokens alone.");
  minute("requests_per_minute", Dimension::kRequests, "A bucket of this many requests that refills within a minute.");
  limit.concurrent = entry.Integer("concurrent", 1, 1'000'000, "Calls under way at the same time.");
  ReadWindow(entry, "requests", Dimension::kRequests, limit.limits);
  ReadWindow(entry, "tokens", Dimension::kTokens, limit.limits);
  return limit;
}

void Reader::Upstream(Section& entry) {
  UpstreamConfig upstream;
  Account& account = upstream.account;
  const bool first = config_.upstreams.empty();
  account.name = Name(entry, "Its name in status, metrics and `models`. Required.", upstreams_);
  account.base_url =
      entry.String("base_url", "Where its API begins, for example https://api.openai.com/v1. Required.").value_or("");
  account.profile = entry.OneOf("profile", ProfileChoices(), "How the provider counts and speaks. Default: generic.")
                        .value_or("generic");
  account.dialect =
      entry.OneOf("dialect", {"responses", "chat"}, "The API that typed calls use. Default: the profile's.")
          .value_or("");
  if (first && overrides_.api_key_env) {
    entry.Skip("api_key");
  } else {
    account.api_key =
        entry.Secret("api_key", "The key that pays. Absent: requests go without Authorization.").value_or("");
  }
  account.lower_output_cap =
      entry
          .Boolean(
              "cap_output",
              "Where the provider charges max_output_tokens for good, send a smaller one than callers ask for, sized "
              "by what their answers took; an answer that it cuts is asked for again with a larger one. Default: "
              "false.")
          .value_or(false);
  const auto time = [&](const char* key, const char* doc, Duration& value) {
    value = entry.Time(key, doc).value_or(value);
    if (value <= Duration::zero()) entry.Fail(key, "must be longer than 0");
  };
  time("connect_timeout", "For one connection. Default: 10s.", account.connect_timeout);
  time("stall_timeout", "The longest silence between two events of an answer; comments do not count. Default: 5m.",
       account.stall_timeout);
  time("run_timeout", "How long a call may run at the upstream, all its attempts together. Default: 1h.",
       account.run_timeout);
  std::set<std::string> limited;
  entry.List("limits", "What is known of its limits; the upstream's answers correct it. Absent: learnt.",
             [&](Section& limit) { upstream.limits.push_back(Limit(limit, limited)); });
  const bool overridden = first && overrides_.upstream_url;
  if (!entry.Has("base_url") && !overridden) {
    entry.Fail("base_url", "is required");
  } else if (absl::Status status = CheckBaseUrl(account.base_url); !status.ok() && !overridden) {
    entry.Fail("base_url", Words(status));
  }
  config_.upstreams.push_back(std::move(upstream));
}

void Reader::Model(Section& entry) {
  ModelConfig model;
  model.name = entry.String("name", "As callers name it. Required.").value_or("");
  model.upstreams = entry.Strings("upstreams", "In order of preference. Absent: the first upstream.");
  model.upstream_model = entry.String("upstream_model", "As the upstream names it. Default: `name`.").value_or("");
  model.context_window =
      entry.Integer("context_window", 1, kMostTokens, "Tokens of input and output together. Absent: unknown.")
          .value_or(0);
  if (model.name.empty()) {
    entry.Fail("name", "is required");
  } else if (!models_.insert(model.name).second) {
    entry.Fail("name", fmt::format("\"{}\" is there twice; names must differ", model.name));
  }
  for (const std::string& upstream : model.upstreams) {
    if (!upstreams_.contains(upstream)) entry.Fail("upstreams", fmt::format("there is no upstream \"{}\"", upstream));
  }
  config_.models.push_back(std::move(model));
}

void Reader::Tenant(Section& entry) {
  TenantConfig tenant;
  tenant.name = Name(entry, "Its name in metrics and sessions. Required.", callers_);
  tenant.token = Token(entry);
  const auto weight =
      entry.Number("weight", 0.001, 1000, "Its share of a contended limit against the others'. Default: 1.");
  tenant.tokens_per_day =
      entry.Integer("tokens_per_day", 1, kMostTokens, "Its budget: input and output of a day, by UTC. Absent: none.")
          .value_or(0);
  tenant.budget_warning = entry
                              .Number("budget_warning", 0, 1,
                                      "The share of tokens_per_day from which on log, status and metrics warn. "
                                      "Default: 0.8.")
                              .value_or(tenant.budget_warning);
  if (entry.Has("budget_warning") && tenant.tokens_per_day == 0) {
    entry.Fail("budget_warning", "warns of tokens_per_day; set that too");
  }
  tenant.weight = weight.value_or(1);
  config_.tenants.push_back(std::move(tenant));
}

void Reader::Service(Section& entry) {
  ServiceConfig service;
  service.name = Name(entry, "Its name in logs. Required.", callers_);
  service.token = Token(entry);
  config_.services.push_back(std::move(service));
}

void Reader::Bounds(Section& bounds) {
  if (const auto calls =
          bounds.Integer("queue_per_tenant", 1, 10'000'000, "Calls that a tenant may have waiting. Default: 10000.")) {
    config_.queue_per_tenant = static_cast<size_t>(*calls);
  }
  config_.queue_bytes_per_tenant =
      bounds
          .Bytes("queue_bytes_per_tenant", 1024 * 1024, int64_t{1} << 50,
                 "How large the requests of the calls that a tenant has waiting may be in all. Default: 1GiB.")
          .value_or(config_.queue_bytes_per_tenant);
  if (const auto bytes = bounds.Bytes("finished_calls", 0, int64_t{1} << 40,
                                      "Completed calls kept for a caller that comes back. Default: 256MiB.")) {
    config_.finished_calls_bytes = static_cast<size_t>(*bytes);
  }
  config_.drain =
      bounds.Time("drain", "How long SIGTERM waits for running calls. Default: 30s.").value_or(config_.drain);
}

QuotaConfig Reader::Read(Section& root) {
  root.Map("listen", "Where it listens: host:port, or unix:PATH for gRPC.", [this](Section& listen) {
    config_.grpc = listen.Listen("grpc", "Default: 127.0.0.1:50051.").value_or(config_.grpc);
    config_.http = listen.Listen("http", "Default: 127.0.0.1:8080.").value_or(config_.http);
    config_.metrics = listen.Listen("metrics", "Default: 127.0.0.1:9464.").value_or(config_.metrics);
  });
  root.List("upstreams", "The accounts that answer calls. Required.", [this](Section& entry) { Upstream(entry); });
  root.List("models", "Names, where they are served, and how large their windows are. Others go to the first upstream.",
            [this](Section& entry) { Model(entry); });
  root.List("tenants", "Who may call, by token. Absent: everything is tenant \"default\", on loopback only.",
            [this](Section& entry) { Tenant(entry); });
  root.List("services", "Services that may call on behalf of any tenant, for example agent_service.",
            [this](Section& entry) { Service(entry); });
  root.Map("ledger", "Who keeps limits and queue.", [](Section& ledger) {
    const auto url = ledger.String("url", "memory: (this process). Default: memory:.");
    if (url && *url != "memory:")
      ledger.Fail("url", fmt::format("{} is not supported by this version; write memory:", ShownUrl(*url)));
  });
  root.Map("data", "What outlives a restart: budgets, learnt limits and their levels.", [this](Section& data) {
    config_.data_dir = data.String("dir",
                                   "The folder of quota.db and responses.db. Default: $XDG_STATE_HOME/holdfast, or "
                                   "~/.local/state/holdfast.")
                           .value_or("");
    if (data.Has("dir") && config_.data_dir.empty()) data.Fail("dir", "is empty; name a folder, or leave it out");
  });
  root.Map("frontdoor", "The OpenAI-compatible HTTP front door.", [this](Section& door) {
    FrontDoorConfig& config = config_.frontdoor;
    config.max_wait =
        door.Time("max_wait", "How long a streaming request may be held. Default: 1h.").value_or(config.max_wait);
    config.max_wait_non_streaming =
        door.Time("max_wait_non_streaming", "How long another request may be held. Default: 5m.")
            .value_or(config.max_wait_non_streaming);
    const auto bytes = door.Bytes("max_body", 1024, int64_t{1} << 30, "The largest request body. Default: 64MiB.");
    if (bytes) config.max_body = static_cast<size_t>(*bytes);
  });
  root.Map("bounds", "Bounds on memory.", [this](Section& bounds) { Bounds(bounds); });
  config_.tls = ReadTlsServer(root);
  if (config_.upstreams.empty()) root.Fail("upstreams", "at least one is required");
  if (config_.tenants.empty() && !config_.services.empty()) {
    root.Fail("services", "can only call for a tenant; configure `tenants` too");
  }
  return std::move(config_);
}

}  // namespace

QuotaConfig ReadQuotaConfig(Section& root, const QuotaOverrides& overrides) { return Reader(overrides).Read(root); }

}  // namespace holdfast::quota
