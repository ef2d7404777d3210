#include "tests/deploy/deployment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace holdfast::test {
namespace {

// What follows `key` on the line, up to a comma or the end.
std::string AddressIn(const std::string& line, const std::string& key) {
  const size_t begin = line.find(key) + key.size();
  const size_t end = line.find_first_of(",;", begin);
  return line.substr(begin, end - begin);
}

}  // namespace

std::filesystem::path RepositoryFile(const std::string& path) {
  const char* folder = std::getenv("HOLDFAST_SOURCE_DIR");
  if (folder == nullptr) ADD_FAILURE() << "HOLDFAST_SOURCE_DIR is not set; run the test through ctest";
  return std::filesystem::path(folder == nullptr ? "." : folder) / path;
}

std::string ReadText(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.is_open()) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

Deployment::Deployment() {
  Process::Options options;
  options.folder = run();
  options.environment = {{"OPENAI_API_KEY", kUpstreamKey}};
  Process secrets({RepositoryFile("deploy/compose/make_secrets.sh"), run() / "secrets"}, options);
  EXPECT_EQ(secrets.WaitForExit(), 0) << secrets.err();
  options.environment.clear();

  const std::string any = "127.0.0.1:0";
  quota_ = std::make_unique<Process>(
      std::vector<std::string>{Program("quota_service"), "--config", RepositoryFile("deploy/compose/quota.yaml"),
                               "--upstream-url", simulator_.url(), "--grpc", any, "--http", any, "--metrics", any},
      options);
  const auto quota = quota_->WaitForLine(Process::Stream::kErr, "listening:");
  if (!quota) {
    ADD_FAILURE() << quota_->err();
    return;
  }
  quota_grpc_ = AddressIn(*quota, "grpc ");
  quota_metrics_ = AddressIn(*quota, "metrics ");

  agent_ = std::make_unique<Process>(
      std::vector<std::string>{Program("agent_service"), "--config", RepositoryFile("deploy/compose/agent.yaml"),
                               "--quota", quota_grpc_, "--store", "sqlite:" + folder_.path("sessions.db"), "--grpc",
                               any, "--metrics", any},
      options);
  const auto agent = agent_->WaitForLine(Process::Stream::kErr, "listening:");
  if (!agent) {
    ADD_FAILURE() << agent_->err();
    return;
  }
  agent_grpc_ = AddressIn(*agent, "grpc ");
  agent_metrics_ = AddressIn(*agent, "metrics ");
}

std::string Deployment::Secret(const std::string& name) const {
  std::string secret = ReadText(run() / "secrets" / name);
  secret.erase(secret.find_last_not_of('\n') + 1);
  return secret;
}

std::unique_ptr<Process> Deployment::Cli(const std::string& token, const std::vector<std::string>& arguments,
                                         const std::string& input) const {
  std::vector<std::string> command = {Program("holdfast")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process::Options options;
  options.folder = run();
  options.input = input;
  options.environment = {{"HOLDFAST_AGENT", agent_grpc_},
                         {"HOLDFAST_QUOTA", quota_grpc_},
                         {"HOLDFAST_TOKEN", token},
                         {"XDG_STATE_HOME", folder_.path("state")}};
  return std::make_unique<Process>(command, options);
}

std::unique_ptr<Process> Deployment::Exec(const std::string& token, const std::string& prompt,
                                          const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {"exec", "-", "--approve", "read-only"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Cli(token, arguments, prompt);
}

}  // namespace holdfast::test
