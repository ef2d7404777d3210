#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "common/base/core_dump.h"
#include "common/base/descriptor_limit.h"
#include "common/base/standard_streams.h"
#include "common/base/version.h"
#include "common/config/address_flag.h"
#include "common/log/log.h"
#include "common/rpc/grpc_trace.h"
#include "common/rpc/health.h"
#include "quota_service/config/config.h"
#include "quota_service/server.h"

namespace {

void PrintReference() {
  holdfast::Section root = holdfast::Section::ForReference();
  holdfast::quota::ReadQuotaConfig(root);
  for (const holdfast::ConfigKey& key : root.keys()) fmt::print("{} ({})\n    {}\n", key.path, key.type, key.doc);
}

}  // namespace

int main(int argc, char** argv) {
  holdfast::HoldStandardStreams();
  holdfast::ForbidCoreDumps();
  holdfast::RaiseDescriptorLimit();
  const std::string untraced = holdfast::RestrictGrpcTrace();
  CLI::App app("quota_service: the one owner of upstream keys, limits and connections", "quota_service");
  app.set_version_flag("--version", std::string("quota_service ") + holdfast::kVersion);
  std::string config_file;
  holdfast::quota::QuotaOverrides overrides;
  bool check_config = false;
  bool reference = false;
  std::optional<holdfast::Address> health;
  app.add_option("--config", config_file, "The YAML file; without it OPENAI_API_KEY and HOLDFAST_UPSTREAM_URL are used")
      ->type_name("FILE");
  app.add_option("--upstream-url", overrides.upstream_url, "Base URL of the (first) upstream")->type_name("URL");
  app.add_option("--api-key-env", overrides.api_key_env, "Environment variable that holds its key")->type_name("NAME");
  holdfast::AddAddressFlag(app, "--grpc", overrides.grpc, "Where gRPC listens");
  holdfast::AddAddressFlag(app, "--http", overrides.http, "Where HTTP listens");
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

  if (health) return holdfast::RunHealthCheck("quota_service", *health);

  const auto config = holdfast::quota::LoadQuotaConfig(config_file, overrides);
  if (!config.ok()) {
    fmt::print(stderr, "quota_service: {}\n", std::string(config.status().message()));
    return 2;
  }
  if (check_config) {
    if (const std::string mistake = holdfast::LogLevelMistake(); !mistake.empty()) {
      fmt::print(stderr, "quota_service: {}\n", mistake);
      return 2;
    }
    for (const std::string& warning : config->warnings) fmt::print(stderr, "warning: {}\n", warning);
    fmt::print("configuration is valid\n");
    return 0;
  }

  holdfast::InitLog("quota_service");
  if (!untraced.empty()) spdlog::warn("GRPC_TRACE: these would print credentials and are left out: {}", untraced);
  using holdfast::quota::QuotaServer;
  const auto server = QuotaServer::Start(*config, QuotaServer::Signals::kStop);
  if (!server.ok()) {
    fmt::print(stderr, "quota_service: {}\n", std::string(server.status().message()));
    return 1;
  }
  (*server)->Run();
  return 0;
}
