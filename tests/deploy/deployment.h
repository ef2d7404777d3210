#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/simulator_control.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::test {

inline constexpr char kUpstreamKey[] = "sk-deployment-upstream-key";

// A file of the repository, in the folder that HOLDFAST_SOURCE_DIR names, as ctest sets it.
std::filesystem::path RepositoryFile(const std::string& path);
std::string ReadText(const std::filesystem::path& file);

// What docker-compose.yml describes, without containers: both services with the committed files of deploy/compose and
// the secrets that make_secrets.sh makes; the upstream is the simulator, and addresses and store are overridden by
// flags.
class Deployment {
 public:
  Deployment();

  const SimulatorControl& simulator() const { return simulator_.control(); }
  // The folder that has `secrets/`, as /run has in a container.
  std::filesystem::path run() const { return folder_.path(); }
  std::string Secret(const std::string& name) const;
  const std::string& quota_grpc() const { return quota_grpc_; }
  const std::string& quota_metrics() const { return quota_metrics_; }
  const std::string& agent_grpc() const { return agent_grpc_; }
  const std::string& agent_metrics() const { return agent_metrics_; }
  std::string logs() const { return quota_->err() + agent_->err(); }

  // `holdfast` as a user with this token.
  std::unique_ptr<Process> Cli(const std::string& token, const std::vector<std::string>& arguments,
                               const std::string& input = "") const;
  std::unique_ptr<Process> Exec(const std::string& token, const std::string& prompt,
                                const std::vector<std::string>& more = {}) const;

 private:
  TemporaryFolder folder_;
  SimulatorProcess simulator_{{"--api-key", kUpstreamKey}};
  std::unique_ptr<Process> quota_;
  std::unique_ptr<Process> agent_;
  std::string quota_grpc_;
  std::string quota_metrics_;
  std::string agent_grpc_;
  std::string agent_metrics_;
};

}  // namespace holdfast::test
