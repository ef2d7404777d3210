#pragma once

#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/e2e/hostile_upstream.h"
#include "tests/e2e/marked_secrets.h"
#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::test {

// Both services and the CLI as real processes that log as much as they can, with marked secrets everywhere that secrets
// belong, before upstreams that tell on whoever calls them. Everything that comes out is kept and searched at the end.
class SecretsRig : public testing::Test {
 protected:
  SecretsRig();

  // With two upstreams: "alpha" (Responses) serves "model-a", its key comes from the environment and looks like
  // OpenAI's; "beta" (chat) serves "model-b", its key comes from a file and looks like nothing in particular.
  void StartServices();
  void StartQuota();
  void StartAgent();

  // The most talkative environment, and `more`.
  static std::map<std::string, std::string> Loud(std::map<std::string, std::string> more = {});
  std::unique_ptr<Process> Cli(const std::vector<std::string>& arguments, const std::string& token,
                               const std::string& input = "");
  // Runs to its end; its output is kept. Returns the exit code.
  int RunCli(const std::vector<std::string>& arguments, const std::string& token, const std::string& input = "");
  int Exec(const std::string& prompt, const std::string& model, const std::vector<std::string>& more = {});
  // One Generate on quota_service itself; events and status are kept. The status comes back.
  grpc::Status Generate(const std::string& prompt, const std::string& model, const std::string& token,
                        double max_wait_seconds = 20);

  // Every other RPC of quota_service, and reflection; all that they answer is kept.
  void InspectQuota(const std::string& token);

  // What came out of something. To be searched at the end.
  void Keep(const std::string& where, std::string text) { kept_.emplace_back(where, std::move(text)); }
  void KeepStatus(const std::string& where, const grpc::Status& status);
  void KeepHttp(const std::string& url);
  // Logs, pages, files and command lines, as they are now.
  void KeepEverything();
  // Ends a process as a fault of its own would, with every core allowed that it allows itself. The core, or empty.
  std::string CoreOf(Process& process, const std::string& folder);
  // No secret is in anything that was kept.
  void ExpectNothingLeaked() const;

  TemporaryFolder folder_;
  HostileUpstream hostile_;
  HostileUpstream elsewhere_;  // where a redirect would lead
  MarkedSecrets secrets_;
  std::string alpha_key_, beta_key_, team_a_, team_b_, agent_credential_, foreign_key_, foreign_token_;
  std::string quota_config_;
  std::string agent_config_;
  std::unique_ptr<Process> quota_;
  std::unique_ptr<Process> agent_;
  std::string quota_grpc_ = "127.0.0.1:0", quota_http_, quota_metrics_;
  std::string agent_grpc_ = "127.0.0.1:0", agent_metrics_;

 private:
  void Reflect(const std::shared_ptr<grpc::Channel>& channel);

  std::vector<std::pair<std::string, std::string>> kept_;
  int calls_ = 0;
};

}  // namespace holdfast::test
