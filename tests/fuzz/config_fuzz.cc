// Both services' configuration files. What is wrong is an error that names file and line and shows no secret; what is
// accepted keeps the bounds that its readers rely on.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "agent_service/config/config.h"
#include "quota_service/config/config.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"
#include "tests/support/temporary_folder.h"

namespace holdfast {
namespace {

using fuzz::Check;

constexpr char kSecret[] = "sk-nobody-may-read-this";

void CheckAddress(const Address& address) {
  Check(address.is_unix() != !address.host.empty(), "an address is a path, or a host and a port");
  const auto again = ParseAddress(address.ToString());
  Check(again.ok() && again->ToString() == address.ToString(), "an address survives being shown");
}

void CheckError(const absl::Status& status, const std::string& path, std::string_view text) {
  const std::string words(status.message());
  Check(words.find(kSecret) == std::string::npos, "an error shows no secret: " + words);
  Check(status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kNotFound,
        status.ToString());
  // "<path>:<line>: …"; what only file and flags together can say has no line.
  const std::string with_line = path + ":";
  if (!words.starts_with(with_line) || words.starts_with(path + ": ")) return;
  const long line = std::strtol(words.c_str() + with_line.size(), nullptr, 10);
  const auto ends = std::count_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; });
  Check(line >= 1 && line <= ends + 2, "an error names a line of the file: " + words);
}

void CheckAccepted(const quota::QuotaConfig& config) {
  for (const Address* const address : {&config.grpc, &config.http, &config.metrics}) CheckAddress(*address);
  Check(!config.upstreams.empty(), "there is an upstream");
  Check(config.drain >= Duration::zero(), "draining takes no negative time");
  std::set<std::string> upstreams;
  for (const quota::UpstreamConfig& upstream : config.upstreams) {
    const quota::Account& account = upstream.account;
    Check(upstreams.insert(account.name).second && !account.name.empty(), "upstreams have names of their own");
    Check(account.base_url.starts_with("http"), "an upstream has a place");
    Check(account.dialect == "responses" || account.dialect == "chat", "and a dialect that we speak");
    for (const Duration time : {account.connect_timeout, account.stall_timeout, account.run_timeout}) {
      Check(time > Duration::zero(), "time-outs are longer than 0");
    }
    for (const quota::LimitConfig& limit : upstream.limits) {
      Check(limit.concurrent.value_or(1) > 0, "a bound on calls lets one through");
      for (const quota::LimitSpec& spec : limit.limits) {
        Check(spec.count > 0 && spec.per > Duration::zero(), "a limit lets something through, in some time");
      }
    }
  }
  for (const quota::ModelConfig& model : config.models) {
    Check(!model.name.empty() && model.context_window >= 0, "a model has a name");
    for (const std::string& upstream : model.upstreams) Check(upstreams.contains(upstream), "and upstreams that exist");
  }
  std::set<std::string> tokens;
  for (const quota::TenantConfig& tenant : config.tenants) {
    Check(tenant.weight > 0 && tenant.tokens_per_day >= 0, "a tenant may call");
    Check(!tenant.token.empty() && tokens.insert(tenant.token).second, "with a token of its own");
  }
  for (const quota::ServiceConfig& service : config.services) {
    Check(!service.token.empty() && tokens.insert(service.token).second, "a service, too");
  }
  Check(config.tenants.empty() ? config.grpc.is_loopback() : true, "without tokens only loopback is served");
  for (const std::string& warning : config.warnings) {
    Check(warning.find(kSecret) == std::string::npos, "a warning shows no secret");
  }
}

void CheckAccepted(const agent::AgentConfig& config) {
  for (const Address* const address : {&config.grpc, &config.metrics, &config.quota}) CheckAddress(*address);
  Check(!config.store_path.empty(), "sessions live somewhere");
  Check(config.default_max_wait >= Duration::zero(), "patience is not negative");
  Check(config.grpc.is_loopback() || !config.quota_credential.empty(), "without a credential only loopback is served");
}

template <typename Load>
void TestLoad(const Load& load, const std::string& path, std::string_view text) {
  const auto config = load();
  if (config.ok()) {
    CheckAccepted(*config);
  } else {
    CheckError(config.status(), path, text);
  }
  const auto again = load();
  Check(again.status() == config.status(), "the same file says the same");
}

// A file of secrets or certificates that is there, wherever `text` names one of that name.
std::string WithPathsOf(const test::TemporaryFolder& folder, std::string text) {
  for (const std::string name : {"a.key", "a.pem"}) {
    const std::string path = folder.path(name);
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + path.size())) {
      text.replace(at, name.size(), path);
    }
  }
  return text;
}

void Test(fuzz::Input input) {
  static const test::TemporaryFolder folder;
  static const bool prepared = [] {
    setenv("KEY_A", kSecret, 1);
    setenv("KEY_B", (std::string(kSecret) + "-b").c_str(), 1);
    setenv("HOME", "/nonexistent", 1);
    folder.Write("a.key", kSecret);
    folder.Write("a.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    return true;
  }();
  Check(prepared, "the environment is made");
  const bool agent = input.Byte() % 2 != 0;
  const std::string_view bytes = input.Rest();
  // Reading from a device or a pipe may wait for ever, and is the operator's will. A secret that stands in the file
  // itself is none.
  for (const char* const word : {"dev", "proc", kSecret}) {
    if (bytes.find(word) != std::string::npos) return;
  }
  const std::string text = WithPathsOf(folder, std::string(bytes));
  const std::string path = folder.Write("config.yaml", text);
  if (agent) {
    TestLoad([&] { return agent::LoadAgentConfig(path, {}); }, path, text);
  } else {
    TestLoad([&] { return quota::LoadQuotaConfig(path, {}); }, path, text);
  }
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
