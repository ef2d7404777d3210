#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/lasting_address.h"
#include "tests/support/process.h"
#include "tests/support/simulator_control.h"

namespace holdfast::test {

// The whole of Holdfast as real processes: simulator, quota_service, agent_service, and the CLI on demand. Everything
// in a folder of its own and on free ports; a restarted service keeps its address and its files.
class Pair {
 public:
  // quota.yaml, given the simulator's URL.
  using QuotaConfig = std::function<std::string(const std::string& upstream_url)>;

  // Without a configuration quota_service serves any model from the simulator.
  explicit Pair(const QuotaConfig& quota_config = nullptr);
  ~Pair();

  const SimulatorControl& simulator() const { return simulator_.control(); }
  const std::filesystem::path& workspace() const { return workspace_; }
  std::filesystem::path database() const { return folder_ / "sessions.db"; }
  // What the CLI of this machine notes about its tool calls in the session.
  std::filesystem::path journal(const std::string& session_id, const std::string& machine = "state") const {
    return folder_ / machine / "holdfast" / "journal" / (session_id + ".jsonl");
  }
  // Where the CLI of this machine keeps what it must not forget.
  std::filesystem::path state(const std::string& machine = "state") const { return folder_ / machine; }
  // Where it has the commands that run, or ran and have no result yet.
  std::filesystem::path runs(const std::string& machine = "state") const {
    return folder_ / machine / "holdfast" / "journal" / "runs";
  }

  void KillAgent();
  void StartAgent();
  void KillQuota();
  // For the next StartQuota, of a pair that was made with a configuration.
  void SetQuotaConfig(const QuotaConfig& quota_config);
  void StartQuota();
  // At once: neither sees the other die.
  void KillBoth();
  Process& agent() { return *agent_; }
  Process& quota() { return *quota_; }
  const std::string& agent_grpc() const { return agent_grpc_; }
  std::string agent_log() const { return agent_->err(); }
  std::string quota_log() const { return quota_->err(); }

  // `holdfast` with these arguments. `input`: its standard input. `machine`: whose state folder it has.
  std::unique_ptr<Process> Cli(const std::vector<std::string>& arguments, const std::string& input = "",
                               const std::string& machine = "state") const;
  // `holdfast exec -` in the workspace, with the prompt on standard input.
  std::unique_ptr<Process> Exec(const std::string& prompt, const std::vector<std::string>& more = {},
                                const std::string& machine = "state") const;

  // The characters of the first request that Exec(prompt) makes, less those of the prompt itself. Costs one call.
  int64_t CharactersAround() const;
  // The sum of the samples of a metric of quota_service whose label text contains `label`. Absent: there is none.
  std::optional<double> QuotaMetric(const std::string& name, const std::string& label) const;
  // The session's log, as `sessions show --json` prints it.
  std::vector<boost::json::value> Events(const std::string& session_id) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path workspace_;
  SimulatorProcess simulator_;
  std::unique_ptr<Process> quota_;
  std::unique_ptr<Process> agent_;
  std::vector<std::string> quota_arguments_;
  std::string quota_grpc_ = LastingAddress();
  std::string quota_metrics_ = LastingAddress();
  std::string agent_grpc_ = LastingAddress();
};

// The address that a service's line "listening: grpc ADDRESS, …" names after `key`.
std::string AddressIn(const std::string& line, const std::string& key);
// The JSON objects of `exec --json`, in order.
std::vector<boost::json::value> JsonLines(const std::string& out);
// The first line of this `type`, or null.
boost::json::value FirstOfType(const std::vector<boost::json::value>& lines, const std::string& type);
double Number(const boost::json::value& object, const std::string& key);

// A prompt of exactly this many characters that contains `word`.
std::string PromptOf(size_t characters, const std::string& word);

}  // namespace holdfast::test
