#include "agent_service/config/config.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/base/state_dir.h"
#include "common/config/pem.h"
#include "common/config/shown.h"

namespace holdfast::agent {
namespace {

constexpr char kSqlite[] = "sqlite:";

absl::StatusOr<std::string> StorePath(const std::string& url) {
  if (url.starts_with(kSqlite) && url.size() > std::string_view(kSqlite).size())
    return url.substr(std::string_view(kSqlite).size());
  return absl::InvalidArgumentError(
      fmt::format("{} is not supported by this version; write sqlite:PATH", ShownUrl(url)));
}

}  // namespace

AgentConfig ReadAgentConfig(Section& root) {
  AgentConfig config;
  root.Map("listen", "Where it listens: host:port, or unix:PATH for gRPC.", [&](Section& listen) {
    config.grpc = listen.Listen("grpc", "Default: 127.0.0.1:50052.").value_or(config.grpc);
    config.metrics = listen.Listen("metrics", "Default: 127.0.0.1:9465.").value_or(config.metrics);
  });
  root.Map("quota", "The quota_service that answers model calls.", [&](Section& quota) {
    config.quota = quota.Listen("address", "Default: 127.0.0.1:50051.").value_or(config.quota);
    config.quota_credential =
        quota.Secret("credential", "Our own token there, as its `services` name it. Absent: none is sent.")
            .value_or("");
    config.quota_tls = ReadTlsClient(quota);
  });
  root.Map("store", "Where sessions live.", [&](Section& store) {
    const auto url = store.String("url", "sqlite:PATH. Default: sessions.db under $XDG_STATE_HOME/holdfast.");
    if (!url) return;
    auto path = StorePath(*url);
    if (path.ok()) {
      config.store_path = *std::move(path);
    } else {
      store.Fail("url", std::string(path.status().message()));
    }
  });
  root.Map("defaults", "For sessions and turns that do not say.", [&](Section& defaults) {
    config.default_model = defaults.String("model", "Absent: clients must name one.").value_or("");
    config.default_max_wait =
        defaults.Time("max_wait", "The sum of all waits of a turn. Default: 15m.").value_or(config.default_max_wait);
    config.default_attended_max_wait =
        defaults.Time("max_wait_attended", "The same, of a turn that somebody looks on at (a terminal). Default: 1h.")
            .value_or(config.default_attended_max_wait);
  });
  root.Map("sessions", "What is done for every session.", [&](Section& sessions) {
    config.snapshot_every_turns = static_cast<int>(
        sessions.Integer("snapshot_every_turns", 0, 1000, "Turns between automatic snapshots; 0: none. Default: 4.")
            .value_or(config.snapshot_every_turns));
    config.compact_after_turn =
        sessions
            .Number(
                "compact_after_turn", 0, 1,
                "After a turn a context that fills more than this part of its room is compacted; in a turn, one that "
                "would not fit. 0: never. Default: 0.7.")
            .value_or(config.compact_after_turn);
    config.compaction_target =
        sessions.Number("compaction_target", 0.05, 0.9, "How full a context may be after compaction. Default: 0.5.")
            .value_or(config.compaction_target);
  });
  config.tls = ReadTlsServer(root);
  return config;
}

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path, const AgentOverrides& overrides) {
  AgentConfig config;
  if (!path.empty()) {
    auto root = Section::ParseFile(path);
    if (!root.ok()) return root.status();
    config = ReadAgentConfig(*root);
    if (absl::Status status = root->Finish(); !status.ok()) return status;
  }
  if (overrides.grpc) config.grpc = *overrides.grpc;
  if (overrides.metrics) config.metrics = *overrides.metrics;
  if (overrides.quota) config.quota = *overrides.quota;
  if (overrides.store) {
    auto store = StorePath(*overrides.store);
    if (!store.ok())
      return absl::Status(store.status().code(), fmt::format("--store: {}", std::string(store.status().message())));
    config.store_path = *std::move(store);
  }
  if (config.store_path.empty()) {
    const auto directory = StateDirectory();
    if (!directory.ok()) return directory.status();
    config.store_path = *directory + "/sessions.db";
  }
  if (!config.grpc.is_loopback() && config.quota_credential.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("listen.grpc: {} can be reached from other machines; set quota.credential and tenants in "
                    "quota_service, or listen on 127.0.0.1",
                    config.grpc.ToString()));
  }
  if (config.metrics.is_unix()) return absl::InvalidArgumentError("listen.metrics: must be host:port");
  return config;
}

}  // namespace holdfast::agent
