#include "tests/e2e/pair.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/http_call.h"

namespace holdfast::test {
namespace json = boost::json;

Pair::Pair(const QuotaConfig& quota_config) {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-e2e-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  workspace_ = folder_ / "workspace";
  std::filesystem::create_directory(workspace_);
  if (quota_config) {
    quota_arguments_ = {"--config", (folder_ / "quota.yaml").string()};
    std::ofstream(quota_arguments_.back()) << quota_config(simulator_.url());
  }
  StartQuota();
  StartAgent();
}

Pair::~Pair() {
  agent_.reset();
  quota_.reset();
  if (testing::Test::HasFailure()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Pair::StartQuota() {
  Process::Options options;
  options.environment = {{"OPENAI_API_KEY", "sk-test-upstream"}, {"HOLDFAST_UPSTREAM_URL", simulator_.url()}};
  std::vector<std::string> command = {
      Program("quota_service"), "--grpc", quota_grpc_, "--http", "127.0.0.1:0", "--metrics", quota_metrics_};
  command.insert(command.end(), quota_arguments_.begin(), quota_arguments_.end());
  quota_ = std::make_unique<Process>(command, options);
  const auto line = quota_->WaitForLine(Process::Stream::kErr, "listening:");
  ASSERT_TRUE(line) << quota_->err();
  quota_grpc_ = AddressIn(*line, "grpc ");
  quota_metrics_ = AddressIn(*line, "metrics ");
}

void Pair::StartAgent() {
  Process::Options options;
  agent_ = std::make_unique<Process>(
      std::vector<std::string>{Program("agent_service"), "--grpc", agent_grpc_, "--metrics", "127.0.0.1:0", "--quota",
                               quota_grpc_, "--store", "sqlite:" + database().string()},
      options);
  const auto line = agent_->WaitForLine(Process::Stream::kErr, "listening:");
  ASSERT_TRUE(line) << agent_->err();
  agent_grpc_ = AddressIn(*line, "grpc ");
}

void Pair::SetQuotaConfig(const QuotaConfig& quota_config) {
  std::ofstream(quota_arguments_.back()) << quota_config(simulator_.url());
}

void Pair::KillAgent() { agent_->Kill(); }
void Pair::KillQuota() { quota_->Kill(); }
void Pair::KillBoth() {
  agent_->Signal(SIGKILL);
  quota_->Signal(SIGKILL);
  KillAgent();
  KillQuota();
}

std::unique_ptr<Process> Pair::Cli(const std::vector<std::string>& arguments, const std::string& input,
                                   const std::string& machine) const {
  std::vector<std::string> command = {Program("holdfast")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process::Options options;
  options.environment = {{"HOLDFAST_AGENT", agent_grpc_},
                         {"HOLDFAST_QUOTA", quota_grpc_},
                         {"HOLDFAST_MODEL", "o4-mini"},
                         {"XDG_STATE_HOME", (folder_ / machine).string()}};
  options.input = input;
  return std::make_unique<Process>(command, options);
}

std::unique_ptr<Process> Pair::Exec(const std::string& prompt, const std::vector<std::string>& more,
                                    const std::string& machine) const {
  std::vector<std::string> arguments = {"exec", "-", "--cwd", workspace_.string(), "--approve", "full"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Cli(arguments, prompt, machine);
}

int64_t Pair::CharactersAround() const {
  const std::string prompt = "how large";
  auto exec = Exec(prompt);
  EXPECT_EQ(exec->WaitForExit(), 0) << exec->err();
  const auto requests = simulator().Requests();
  return static_cast<int64_t>(Number(requests.back(), "chars")) - static_cast<int64_t>(prompt.size());
}

std::optional<double> Pair::QuotaMetric(const std::string& name, const std::string& label) const {
  const auto reply = HttpCall("GET", "http://" + quota_metrics_ + "/metrics");
  if (!reply.ok()) return std::nullopt;
  std::istringstream lines(reply->body);
  std::optional<double> sum;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + "{") || line.find(label) == std::string::npos) continue;
    sum = sum.value_or(0) + std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

std::vector<json::value> Pair::Events(const std::string& session_id) const {
  auto show = Cli({"sessions", "show", session_id, "--json"});
  EXPECT_EQ(show->WaitForExit(), 0) << show->err();
  std::vector<json::value> events;
  for (const json::value& line : JsonLines(show->out())) {
    if (line.at("type") == "event") events.push_back(line.at("event"));
  }
  return events;
}

std::string AddressIn(const std::string& line, const std::string& key) {
  const size_t begin = line.find(key) + key.size();
  const size_t end = line.find_first_of(",;", begin);
  return line.substr(begin, end - begin);
}

std::vector<json::value> JsonLines(const std::string& out) {
  std::vector<json::value> values;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    json::error_code error;
    values.push_back(json::parse(line, error));
    EXPECT_FALSE(error) << line;
  }
  return values;
}

json::value FirstOfType(const std::vector<json::value>& lines, const std::string& type) {
  for (const json::value& line : lines) {
    if (line.at("type").as_string().compare(type) == 0) return line;
  }
  return nullptr;
}

double Number(const json::value& object, const std::string& key) {
  const json::value* value = object.as_object().if_contains(key);
  if (value == nullptr || !value->is_number()) {
    ADD_FAILURE() << "no number \"" << key << "\" in " << object;
    return 0;
  }
  return value->to_number<double>();
}

std::string PromptOf(size_t characters, const std::string& word) {
  std::string prompt = word + " ";
  while (prompt.size() < characters) prompt += "lorem ipsum ";
  prompt.resize(characters);
  prompt.back() = '.';
  return prompt;
}

}  // namespace holdfast::test
