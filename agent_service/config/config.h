#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/config/section.h"
#include "common/rpc/tls.h"

namespace holdfast::agent {

struct AgentConfig {
  Address grpc{"127.0.0.1", 50052, ""};
  Address metrics{"127.0.0.1", 9465, ""};
  Address quota{"127.0.0.1", 50051, ""};
  std::string quota_credential;  // empty: none is sent
  std::optional<TlsClient> quota_tls;
  std::string store_path;  // of the SQLite database
  std::string default_model;
  Duration default_max_wait = std::chrono::minutes(15);
  Duration default_attended_max_wait = std::chrono::hours(1);
  int snapshot_every_turns = 4;  // 0: none
  double compact_after_turn = 0.7;
  double compaction_target = 0.5;
  std::optional<TlsServer> tls;
};

struct AgentOverrides {
  std::optional<Address> grpc, metrics, quota;
  std::optional<std::string> store;
};

// From `path`; defaults alone where it is empty. Errors name file, line, key and remedy.
absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path, const AgentOverrides& overrides);
// Reads every key of `root`; also how the reference is made.
AgentConfig ReadAgentConfig(Section& root);

}  // namespace holdfast::agent
