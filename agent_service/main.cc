#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <optional>
#include <string>

#include "agent_service/config/config.h"
#include "agent_service/server.h"
#include "common/base/standard_streams.h"
#include "common/base/version.h"
#include "common/config/address_flag.h"
#include "common/log/log.h"
#include "common/rpc/grpc_trace.h"
#include "common/rpc/health.h"

namespace {

void PrintReference() {
  holdfast::Section root = holdfast::Section::ForReference();
  holdfast::agent::ReadAgentConfig(root);
  for (const holdfast::ConfigKey& key : root.keys()) fmt::print("{} ({})\n    {}\n", key.path, key.type, key.doc);
}

}  // namespace

int main(int argc, char** argv) {
  holdfast::HoldStandardStreams();
  const std::string untraced = holdfast::RestrictGrpcTrace();
  CLI::App app("agent_service: sessions that outlive every limit and every crash", "agent_service");
  app.set_version_flag("--version", std::string("agent_service ") + holdfast::kVersion);
  std::string config_file;
  holdfast::agent::AgentOverrides overrides;
  bool check_config = false;
  bool reference = false;
  std::optional<holdfast::Address> health;
  app.add_option("--config", config_file, "The YAML file")->type_name("FILE");
  holdfast::AddAddressFlag(app, "--quota", overrides.quota, "Where quota_service listens");
  app.add_option("--store", overrides.store, "sqlite:PATH")->type_name("URL");
  holdfast::AddAddressFlag(app, "--grpc", overrides.grpc, "Where gRPC listens");
  holdfast::AddAddressFlag(app, "--metrics", overrides.metrics, "Where metrics are served");
  app.add_flag("--check-config", check_config, "Read the configuration, say what is wrong with it, and exit");
  app.add_flag("--config-reference", reference, "Print every configuration key, and exit");
  holdfast::AddAddressFlag(app, "--health", health,
                           "Ask the service at this gRPC address (plain text) whether it serves; exit 0 or 1");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (reference) {
    PrintReference();
    return 0;
  }

  if (health) return holdfast::RunHealthCheck("agent_service", *health);

  const auto config = holdfast::agent::LoadAgentConfig(config_file, overrides);
  if (!config.ok()) {
    fmt::print(stderr, "agent_service: {}\n", std::string(config.status().message()));
    return 2;
  }
  if (check_config) {
    if (const std::string mistake = holdfast::LogLevelMistake(); !mistake.empty()) {
      fmt::print(stderr, "agent_service: {}\n", mistake);
      return 2;
    }
    fmt::print("configuration is valid\n");
    return 0;
  }

  // A limit on the size of files (ulimit -f) is a full disk to the store, and not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  holdfast::InitLog("agent_service");
  if (!untraced.empty()) spdlog::warn("GRPC_TRACE: these would print credentials and are left out: {}", untraced);
  using holdfast::agent::AgentServer;
  const auto server = AgentServer::Start(*config, AgentServer::Signals::kStop);
  if (!server.ok()) {
    fmt::print(stderr, "agent_service: {}\n", std::string(server.status().message()));
    return 1;
  }
  (*server)->Run();
  return 0;
}
