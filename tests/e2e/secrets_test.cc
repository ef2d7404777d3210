// No secret comes out of anywhere: upstreams tell on whoever calls them, configurations and tokens are wrong, processes
// are opened up; everything that comes out is searched.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "tests/e2e/secrets_rig.h"
#include "tests/support/test_certificate.h"

namespace holdfast::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Truly;

std::string Groups(const std::string& text, size_t length, const std::string& between) {
  std::string grouped;
  for (size_t at = 0; at < text.size(); at += length) {
    grouped += (at == 0 ? "" : between) + text.substr(at, length);
  }
  return grouped;
}

std::string AllPercent(const std::string& text) {
  std::string all;
  for (const unsigned char c : text) all += fmt::format("%{:02x}", c);
  return all;
}

// How an upstream may tell `key`, without a word before it that announces a secret.
std::vector<std::string> Tellings(const std::string& key) {
  std::string lower = key;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return {
      fmt::format("We do not know {}, sorry", key),
      fmt::format("You sent Authorization: Bearer {}", key),
      fmt::format("Your caller is <{}>", lower),
      fmt::format("You sent {} to us", Base64(key)),
      fmt::format("You sent {} to us", Base64("someone:" + key)),
      fmt::format("You sent {} to us", Base64("Bearer " + key)),
      fmt::format("See https://help.example/{}/why", UrlEncoded(key)),
      fmt::format("See https://help.example/?{}", AllPercent(key)),
      fmt::format("You sent {} to us", Hex(key)),
      fmt::format("You sent\n{}\nto us", Groups(key, 10, "\n")),
      fmt::format("You sent {} to us", Groups(key, 4, " ")),
      fmt::format("It begins with {} and ends with {}", key.substr(0, key.size() / 2), key.substr(key.size() / 2)),
  };
}

class SecretsTest : public SecretsRig {
 protected:
  struct Case {
    std::string model;
    std::string text;
  };

  // What each upstream may tell of its caller, and of others.
  std::vector<Case> Cases() const {
    std::vector<Case> cases;
    for (const auto& [model, key] : {std::pair("model-a", alpha_key_), std::pair("model-b", beta_key_)}) {
      for (const std::string& text : Tellings(key)) cases.push_back({model, text});
      cases.push_back({model, fmt::format("Incorrect API key provided: {}.", foreign_key_)});
      cases.push_back({model, fmt::format("Another caller is {}", foreign_key_)});
      cases.push_back({model, fmt::format("They sent Authorization: Bearer {}", foreign_token_)});
    }
    return cases;
  }

  // A prompt that gets these answers.
  std::string PromptFor(std::vector<std::string> answers) {
    std::string word = fmt::format("case-{}-", ++prompts_);
    hostile_.Answer(word, std::move(answers));
    return word;
  }

  // Both keys did go out: an upstream that never saw them could not tell them.
  void ExpectTheUpstreamsSawTheirKeys() {
    const std::vector<std::string> requests = hostile_.Requests();
    for (const std::string& key : {alpha_key_, beta_key_}) {
      EXPECT_TRUE(std::ranges::any_of(requests, [&](const std::string& request) {
        return request.find("authorization: Bearer " + key + "\r\n") != std::string::npos;
      }));
    }
  }

 private:
  int prompts_ = 0;
};

TEST(MarkedSecrets, AreFoundInEveryForm) {
  MarkedSecrets secrets;
  const std::string key = secrets.Add("the key", "sk-" + RandomText(20) + "/+" + RandomText(20) + "==");
  for (const std::string& text : Tellings(key)) EXPECT_THAT(secrets.FindIn(text), Not(IsEmpty())) << text;
  EXPECT_THAT(secrets.FindIn("We do not know sk-" + RandomText(40)), IsEmpty());
}

TEST_F(SecretsTest, ErrorBodies) {
  StartServices();
  for (const Case& one : Cases()) {
    ASSERT_THAT(secrets_.FindIn(one.text), Not(IsEmpty())) << "the upstream tells nothing";
    const std::string headers = fmt::format("x-request-id: {0}\r\nwww-authenticate: Bearer realm=\"{0}\"\r\n",
                                            one.model == "model-a" ? alpha_key_ : beta_key_);
    const auto unauthorised =
        Generate(PromptFor({HttpAnswer(401, ErrorBody(one.text, one.text, one.text), headers)}), one.model, team_a_);
    EXPECT_EQ(unauthorised.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << unauthorised.error_message();
    EXPECT_THAT(unauthorised.error_message(), HasSubstr("upstream ")) << "it still says who refused";
    const auto invalid = Generate(PromptFor({HttpAnswer(400, one.text, headers, "text/plain")}), one.model, team_a_);
    EXPECT_EQ(invalid.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << invalid.error_message();
    const auto overloaded = Generate(PromptFor({HttpAnswer(503, ErrorBody(one.text), headers)}), one.model, team_a_, 0);
    EXPECT_EQ(overloaded.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << overloaded.error_message();
  }
  ExpectTheUpstreamsSawTheirKeys();
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, ErrorsInsideStreams) {
  StartServices();
  int retried = 0;
  for (const Case& one : Cases()) {
    const std::string error = ErrorBody(one.text, "server_error", one.text);
    const std::string failed =
        one.model == "model-a"
            ? fmt::format(R"({{"type":"response.failed","response":{{"id":"r",{}}})", error.substr(1))
            : error;
    const std::string output =
        one.model == "model-a"
            ? R"({"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Half"})"
            : R"({"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"Half"}}]})";
    const std::string headers = fmt::format("retry-after-ms: 1\r\nx-request-id: {}\r\n", beta_key_);
    const auto refused = Generate(PromptFor({EventAnswer({output, failed})}), one.model, team_b_, 0);
    EXPECT_FALSE(refused.ok());
    // Before output, after output; then it answers. What was told is in the events that say why the call waits. Some of
    // them: each of these waits for its backoff.
    if (retried++ % 6 != 0) continue;
    const auto status = Generate(PromptFor({EventAnswer({failed}, headers), EventAnswer({output, failed}, headers)}),
                                 one.model, team_b_);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  ExpectTheUpstreamsSawTheirKeys();
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, TurnsOfTheAgent) {
  StartServices();
  for (const auto& [model, key] : {std::pair("model-a", alpha_key_), std::pair("model-b", beta_key_)}) {
    const std::string told = fmt::format("You are {}. Another is {}. Please try again in 20ms.", key, foreign_key_);
    const std::string text = ErrorBody(told, "requests", "rate_limit_exceeded");
    const std::string limited = HttpAnswer(429, text, "retry-after-ms: 20\r\n");
    EXPECT_EQ(Exec(PromptFor({}), model), 0);
    EXPECT_EQ(Exec(PromptFor({limited}), model), 0);
    EXPECT_EQ(Exec(PromptFor({limited}), model, {"--json"}), 0);
    EXPECT_EQ(Exec(PromptFor({HttpAnswer(503, ErrorBody(told), "retry-after-ms: 1\r\n")}), model, {"--json"}), 0);
    EXPECT_EQ(Exec(PromptFor({HttpAnswer(401, ErrorBody(told, "a", "invalid_api_key"))}), model), 1);
    EXPECT_EQ(Exec(PromptFor({HttpAnswer(403, ErrorBody(told))}), model, {"--json"}), 1);
    EXPECT_EQ(Exec(PromptFor({HttpAnswer(400, told, "", "text/html")}), model, {"--json"}), 1);
    EXPECT_EQ(Exec(PromptFor({EventAnswer({key + " is not JSON"})}), model), 0);
  }
  EXPECT_EQ(RunCli({"sessions", "list", "--json"}, team_a_), 0);
  EXPECT_EQ(RunCli({"quota", "status", "--json"}, team_a_), 0);
  EXPECT_EQ(RunCli({"quota", "check", "--model", "model-a", "--tokens", "10", "--json"}, team_b_), 0);
  ExpectTheUpstreamsSawTheirKeys();
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, RedirectsAreNotFollowed) {
  StartServices();
  for (const int code : {301, 302, 303, 307, 308}) {
    const std::string headers = fmt::format("location: {}/next?key={}\r\n", elsewhere_.url(), alpha_key_);
    const auto status =
        Generate(PromptFor({HttpAnswer(code, ErrorBody("moved: " + alpha_key_), headers)}), "model-a", team_a_, 0);
    EXPECT_FALSE(status.ok());
  }
  EXPECT_EQ(elsewhere_.accepted(), 0);
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, WrongTokens) {
  StartServices();
  const std::string wrong = secrets_.Add("a wrong token", RandomText(40));
  for (const std::string& token : {wrong, wrong + "\n" + wrong, wrong + "\x01", "Bearer " + wrong}) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"exec", "hello", "--model", "model-a"},
                                                    {"sessions", "list"},
                                                    {"sessions", "show", "abc", "--json"},
                                                    {"quota", "status"},
                                                    {"quota", "check", "--model", "model-a", "--tokens", "1"}}) {
      const int code = RunCli(command, token);
      EXPECT_TRUE(code == 77 || code == 2) << code;
    }
  }
  EXPECT_EQ(RunCli({"sessions", "list"}, agent_credential_), 77) << "a service has no sessions";
  EXPECT_EQ(Generate("hello", "model-a", wrong).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Generate("hello", "model-a", agent_credential_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, OtherAnswersOfQuotaService) {
  StartServices();
  for (const auto& [model, key] : {std::pair("model-a", alpha_key_), std::pair("model-b", beta_key_)}) {
    Generate(PromptFor({HttpAnswer(401, ErrorBody("You are " + key))}), model, team_a_, 0);
  }
  for (const std::string& token : {team_a_, team_b_, agent_credential_, foreign_token_, std::string()}) {
    InspectQuota(token);
  }
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, ToolsDoNotGetTheToken) {
  StartServices();
  const std::string item =
      R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"shell","arguments":"{\"command\":\"env\"}"})";
  const std::string call = EventAnswer(
      {fmt::format(R"({{"type":"response.output_item.done","output_index":0,"item":{}}})", item),
       fmt::format(R"({{"type":"response.completed","response":{{"id":"r","status":"completed","output":[{}]}}}})",
                   item)});
  EXPECT_EQ(Exec(PromptFor({call}), "model-a", {"--json"}), 0);
  const std::vector<std::string> requests = hostile_.Requests();
  ASSERT_EQ(requests.size(), 2u);
  const std::string body = requests.back().substr(requests.back().find("\r\n\r\n"));
  EXPECT_THAT(body, HasSubstr("HOLDFAST_AGENT=")) << "the tool ran, and told its environment";
  Keep("what the model was told", body);
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, Tls) {
  const TestCertificate own = MakeTestCertificate();
  const TestCertificate other = MakeTestCertificate();
  const auto body = [](const std::string& pem) {
    const size_t begin = pem.find('\n') + 1;
    return pem.substr(begin, pem.rfind("-----END") - begin);
  };
  secrets_.Add("the certificate's key", body(own.key_pem));
  secrets_.Add("another certificate's key", body(other.key_pem));
  const std::string certificate = folder_.Write("own.pem", own.certificate_pem);
  std::ifstream file(quota_config_);
  const std::string plain((std::istreambuf_iterator<char>(file)), {});
  const auto with_tls = [&](const std::string& key) {
    return folder_.Write("tls.yaml", fmt::format("{}\ntls: {{certificate: \"{}\", key: \"{}\"}}\n", plain, certificate,
                                                 folder_.Write("tls.key", key)));
  };
  // The key of another certificate, a certificate in place of the key, a key that is cut short.
  for (const std::string& key : {other.key_pem, own.certificate_pem, own.key_pem.substr(0, own.key_pem.size() / 2)}) {
    Process quota({Program("quota_service"), "--config", with_tls(key), "--grpc", "127.0.0.1:0", "--http",
                   "127.0.0.1:0", "--metrics", "127.0.0.1:0"},
                  {.environment = Loud(
                       {{"ALPHA_KEY", alpha_key_}, {"TEAM_A", team_a_}, {"AGENT_CREDENTIAL", agent_credential_}})});
    EXPECT_EQ(quota.WaitForExit(), 1) << quota.err();
    Keep("quota_service with a wrong TLS key", quota.out() + quota.err());
  }
  quota_config_ = with_tls(own.key_pem);
  agent_config_ =
      folder_.Write("agent-tls.yaml", fmt::format("quota: {{credential: {{file: \"{}\"}}, tls: {{ca: \"{}\"}}}}\n",
                                                  folder_.path("agent.secret"), certificate));
  StartServices();
  EXPECT_EQ(Exec(PromptFor({}), "model-a"), 0);
  EXPECT_EQ(Exec(PromptFor({HttpAnswer(401, ErrorBody("You are " + beta_key_))}), "model-b"), 1);
  KeepEverything();
  ExpectNothingLeaked();
}

TEST_F(SecretsTest, ConfigurationErrors) {
  const std::string secret = secrets_.Add("a misplaced secret", "sk-proj-" + RandomText(40));
  const std::string pem = fmt::format("-----BEGIN PRIVATE KEY-----\n{0}\n{0}\n-----END PRIVATE KEY-----\n", secret);
  const std::string upstream = "upstreams: [{name: u, base_url: \"http://localhost:1\", api_key: ";
  const std::vector<std::string> quota = {
      upstream + secret + "}]",
      upstream + "\"" + secret + "\"}]",
      upstream + "[" + secret + "]}]",
      upstream + "{env: " + secret + "}}]",
      upstream + "{env: \"Bearer " + secret + "\"}}]",
      upstream + "{file: " + secret + "}}]",
      upstream + "{value: " + secret + "}}]",
      upstream + "{" + secret + ": env}}]",
      upstream + "{" + secret + "}}]",
      upstream + "\"" + secret,
      upstream + "\"\\q" + secret + "\"}]",
      upstream + "&" + secret + " *" + secret + "x}]",
      upstream + "!" + secret + " x}]",
      upstream + "}]\n" + secret,
      "upstreams: [{name: u, base_url: \"https://u:" + secret + "@host/v1\"}]",
      "upstreams: [{name: u, base_url: \"https://host/v1?key=" + secret + "\"}]",
      "upstreams: [{name: u, base_url: \"" + secret + "\"}]",
      "upstreams: [{name: u, base_url: \"http://localhost:1\"}]\ntenants: [{name: t, token: " + secret + "}]",
      "upstreams: [{name: u, base_url: \"http://localhost:1\"}]\ntls: {certificate: c, key: |\n  " +
          Groups(pem, 64, "\n  ") + "}",
      "upstreams: [{name: u, base_url: \"http://localhost:1\"}]\ntls:\n  key: \"" + secret + "\"",
      "upstreams: [{name: u, base_url: \"http://localhost:1\"}]\ntls: {key: \"" + folder_.Write("bare.key", secret) +
          "\"}",
      "upstreams: [{name: u, base_url: \"http://localhost:1\"}]\nledger: {url: \"redis://:" + secret + "@h:1\"}",
      secret,
  };
  int n = 0;
  for (const std::string& text : quota) {
    const std::string file = folder_.Write(fmt::format("quota-{}.yaml", ++n), text);
    Process check({Program("quota_service"), "--config", file, "--check-config"}, {.environment = Loud()});
    EXPECT_EQ(check.WaitForExit(), 2) << text << check.out() << check.err();
    EXPECT_THAT(check.err(), Not(IsEmpty()));
    Keep("--check-config of " + std::to_string(n) + ": " + Groups(text.substr(0, 70), 1, "_"),
         check.out() + check.err());
  }
  for (const std::string& text :
       {"quota: {credential: " + secret + "}", "quota: {credential: {env: " + secret + "}}",
        "quota: {credential: {file: " + secret + "}}", "quota: {tls: {key: \"" + secret + "\"}}",
        "quota: {tls: {certificate: \"" + secret + "\"}}", "store: {url: \"postgresql://u:" + secret + "@h/d\"}"}) {
    const std::string file = folder_.Write(fmt::format("agent-{}.yaml", ++n), text);
    Process check({Program("agent_service"), "--config", file, "--check-config"}, {.environment = Loud()});
    EXPECT_EQ(check.WaitForExit(), 2) << text << check.out() << check.err();
    Keep("--check-config of agent " + std::to_string(n), check.out() + check.err());
  }
  const std::vector<std::pair<std::vector<std::string>, std::map<std::string, std::string>>> quota_flags = {
      {{"--api-key-env", secret}, {}},
      {{"--upstream-url", "https://u:" + secret + "@host/v1"}, {{"OPENAI_API_KEY", secret}}},
      {{}, {{"HOLDFAST_UPSTREAM_URL", "https://u:" + secret + "@host/v1"}, {"OPENAI_API_KEY", secret}}},
      {{}, {{"OPENAI_API_KEY", secret + " " + secret}}},
      {{}, {{"OPENAI_API_KEY", secret + "\x01"}}},
      {{"--no-such-flag"}, {{"OPENAI_API_KEY", secret}}},
  };
  for (const auto& [flags, environment] : quota_flags) {
    std::vector<std::string> command = {Program("quota_service"), "--check-config"};
    command.insert(command.end(), flags.begin(), flags.end());
    Process check(command, {.environment = Loud(environment)});
    EXPECT_EQ(check.WaitForExit(), 2) << check.out() << check.err();
    Keep(fmt::format("quota_service --check-config {}", n++), check.out() + check.err());
  }
  Process store({Program("agent_service"), "--store", "postgresql://u:" + secret + "@h/d"}, {.environment = Loud()});
  EXPECT_EQ(store.WaitForExit(), 2) << store.err();
  Keep("agent_service --store", store.out() + store.err());
  ExpectNothingLeaked();
}

// Of the machine, not of us: whether a process that ends by SIGABRT leaves its core in its folder.
bool CoresAreFiles() {
  std::ifstream file("/proc/sys/kernel/core_pattern");
  std::string pattern;
  std::getline(file, pattern);
  return pattern.starts_with("core");
}

TEST_F(SecretsTest, OpenedProcesses) {
  StartServices();
  for (const char* model : {"model-a", "model-b"}) EXPECT_EQ(Exec(PromptFor({}), model, {"--json"}), 0);
  EXPECT_EQ(Generate("hello", "model-a", team_b_).error_code(), grpc::StatusCode::OK);
  ExpectTheUpstreamsSawTheirKeys();
  // The upstream never answers.
  const auto waiting =
      Cli({"exec", PromptFor({""}), "--cwd", folder_.path("workspace"), "--model", "model-a"}, team_a_);
  ASSERT_TRUE(waiting->WaitForLine(Process::Stream::kErr, "session "));

  const auto quota_only = [](const std::string& found) { return found.find("'s key") != std::string::npos; };
  const auto of_agent = secrets_.FindInMemory(agent_->pid());
  EXPECT_THAT(of_agent, Contains("agent_service's credential (as it is)")) << "its memory was searched";
  EXPECT_THAT(of_agent, Not(Contains(Truly(quota_only))));
  EXPECT_THAT(of_agent, Not(Contains(HasSubstr("team-b"))));
  const auto of_cli = secrets_.FindInMemory(waiting->pid());
  EXPECT_THAT(of_cli, ElementsAre("team-a's token (as it is)")) << "its own, and nobody else's";

  EXPECT_EQ(CoreOf(*quota_, "quota").size(), 0u) << "it holds the keys";
  const std::string core_of_agent = CoreOf(*agent_, "agent");
  const std::string core_of_cli = CoreOf(*waiting, "cli");
  if (!CoresAreFiles()) return;
  EXPECT_THAT(secrets_.FindInBytes(core_of_agent), Contains("agent_service's credential (as it is)"));
  EXPECT_THAT(secrets_.FindInBytes(core_of_agent), Not(Contains(Truly(quota_only))));
  EXPECT_THAT(secrets_.FindInBytes(core_of_cli), ElementsAre("team-a's token (as it is)"));
}

}  // namespace
}  // namespace holdfast::test
