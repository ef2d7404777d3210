// agent_service as an operator starts it: flags, configuration, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::agent {
namespace {

using test::Process;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class AgentServiceBinaryTest : public testing::Test {
 protected:
  Process& Run(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{test::Program("agent_service")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process::Options options;
    options.environment = {{"XDG_STATE_HOME", folder_.path()}, {"TOKEN", "token-of-ours"}};
    process_ = std::make_unique<Process>(command, options);
    return *process_;
  }

  const std::vector<std::string> free_ports_{"--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0"};
  test::TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
};

TEST_F(AgentServiceBinaryTest, SaysItsVersionAndItsFlags) {
  EXPECT_EQ(Run({"--version"}).WaitForExit(), 0);
  EXPECT_THAT(process_->out(), StartsWith("agent_service "));
  EXPECT_EQ(Run({"--help"}).WaitForExit(), 0);
  for (const char* flag : {"--config", "--quota", "--store", "--grpc", "--metrics", "--check-config"})
    EXPECT_THAT(process_->out(), HasSubstr(flag));
}

TEST_F(AgentServiceBinaryTest, ServesWithoutAConfigurationAndEndsOnSigtermWith0) {
  Run(free_ports_);
  ASSERT_TRUE(process_->WaitForLine(Process::Stream::kErr, "listening: grpc 127.0.0.1:")) << process_->err();
  EXPECT_THAT(process_->err(), HasSubstr(folder_.path() + "/holdfast/sessions.db"));
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->WaitForExit(), 0);
  EXPECT_THAT(process_->err(), HasSubstr("stopped"));
}

TEST_F(AgentServiceBinaryTest, AnAddressThatIsTakenIs1AndNamed) {
  Run(free_ports_);
  const auto line = process_->WaitForLine(Process::Stream::kErr, "listening: grpc ");
  ASSERT_TRUE(line) << process_->err();
  const size_t begin = line->find("grpc ") + 5;
  const std::string taken = line->substr(begin, line->find(',', begin) - begin);
  Process second({test::Program("agent_service"), "--grpc", taken, "--metrics", "127.0.0.1:0", "--store",
                  "sqlite:" + folder_.path("other.db")});
  EXPECT_EQ(second.WaitForExit(), 1);
  EXPECT_THAT(second.err(), HasSubstr("cannot listen on " + taken));
  EXPECT_THAT(second.err(), HasSubstr("name another address with --grpc or listen.grpc"));
}

TEST_F(AgentServiceBinaryTest, BadUsageIs2AndSaysWhy) {
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } cases[] = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--grpc", "nonsense"}, "host:port"},
      {{"--quota", "127.0.0.1:99999"}, "65535"},
      {{"--store", "postgresql://db/x"}, "sqlite:PATH"},
      {{"--store", "sessions.db"}, "sqlite:PATH"},
      {{"--grpc", "0.0.0.0:0"}, "quota.credential"},
      {{"--metrics", "unix:/x"}, "listen.metrics: must be host:port"},
      {{"--config", "/nowhere/agent.yaml"}, "/nowhere/agent.yaml"},
      {{"--config", "/"}, "/"},
  };
  for (const auto& [arguments, says] : cases) {
    EXPECT_EQ(Run(arguments).WaitForExit(), 2) << arguments.back();
    EXPECT_THAT(process_->err(), HasSubstr(says)) << arguments.back();
    EXPECT_EQ(process_->out(), "");
  }
}

TEST_F(AgentServiceBinaryTest, AGoodConfigurationIsCheckedWithoutServingIt) {
  const std::string good = folder_.Write("good.yaml", R"(listen: {grpc: "127.0.0.1:0", metrics: "127.0.0.1:0"}
quota: {address: "unix:/run/quota.sock", credential: {env: TOKEN}}
store: {url: "sqlite:/nowhere/to/be/made/s.db"}
defaults: {model: o4-mini, max_wait: 1h}
)");
  EXPECT_EQ(Run({"--config", good, "--check-config"}).WaitForExit(), 0);
  EXPECT_EQ(process_->out(), "configuration is valid\n");
  EXPECT_FALSE(std::filesystem::exists("/nowhere"));
}

TEST_F(AgentServiceBinaryTest, ABadConfigurationIs2AndNamesFileLineKeyAndRemedy) {
  const struct {
    const char* text;
    const char* where;  // behind "<file>:"
    const char* remedy;
  } cases[] = {
      {"listen:\n  grcp: \"127.0.0.1:1\"\n", "2: listen.grcp: unknown key", "known here: grpc, metrics"},
      {"lissten: {}\n", "1: lissten: unknown key", "known here: "},
      {"store: {url: \"sqlite:a\"}\nstore: {url: \"sqlite:b\"}\n", "2: store: ", "twice"},
      {"listen: 5\n", "1: listen: ", "mapping"},
      {"listen:\n  grpc: [1]\n", "2: listen.grpc: ", "single value"},
      {"listen:\n  grpc: \"127.0.0.1\"\n", "2: listen.grpc: ", "host:port"},
      {"listen:\n  grpc: \"127.0.0.1:70000\"\n", "2: listen.grpc: ", "65535"},
      {"listen:\n  grpc: \"unix:\"\n", "2: listen.grpc: ", "unix:"},
      {"quota:\n  address: \"http://quota:1\"\n", "2: quota.address: ", "host:port"},
      {"quota:\n  address:\n", "2: quota.address: has no value", "remove the key"},
      {"quota:\n  credential: token-of-ours\n", "2: quota.credential: ", "{env: NAME}"},
      {"quota:\n  credential: {env: NOT_SET_ANYWHERE}\n", "2: quota.credential", "NOT_SET_ANYWHERE is not set"},
      {"quota:\n  credential: {file: /nowhere/token}\n", "2: quota.credential", "/nowhere/token"},
      {"quota:\n  credential: {file: /x, env: TOKEN}\n", "2: quota.credential", "env"},
      {"quota:\n  tls: {ca: /nowhere/ca.pem}\n", "2: quota.tls.ca: ", "/nowhere/ca.pem"},
      {"store:\n  url: \"postgresql://db/x\"\n", "2: store.url: ", "sqlite:PATH"},
      {"store:\n  url: \"sqlite:\"\n", "2: store.url: ", "sqlite:PATH"},
      {"defaults:\n  max_wait: 15\n", "2: defaults.max_wait: ", "15m"},
      {"defaults:\n  max_wait: -1m\n", "2: defaults.max_wait: ", "15m"},
      {"defaults:\n  max_wait: soon\n", "2: defaults.max_wait: ", "15m"},
      {"defaults:\n  model: {name: x}\n", "2: defaults.model: ", "single value"},
      {"tls:\n  certificate: /nowhere/c.pem\n  key: /nowhere/k.pem\n", "2: tls.certificate: ", "/nowhere/c.pem"},
      {"listen: {\n", "2: ", "YAML"},
      {"- listen\n", "1: ", "mapping"},
      {"a: 1\n---\nb: 2\n", "", "document"},
  };
  for (const auto& [text, where, remedy] : cases) {
    const std::string file = folder_.Write("agent.yaml", text);
    for (const bool check : {true, false}) {
      std::vector<std::string> arguments{"--config", file};
      if (check) arguments.emplace_back("--check-config");
      EXPECT_EQ(Run(arguments).WaitForExit(), 2) << text;
      EXPECT_THAT(process_->err(), AllOf(StartsWith("agent_service: " + file + ":" + where), HasSubstr(remedy),
                                         Not(HasSubstr("token-of-ours"))))
          << text;
    }
  }
}

}  // namespace
}  // namespace holdfast::agent
