#include "clients/cli/commands/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <vector>

namespace holdfast::cli {
namespace {

using testing::HasSubstr;

class CommandLineTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HOLDFAST_AGENT", "HOLDFAST_QUOTA", "HOLDFAST_TOKEN", "HOLDFAST_MODEL"}) unsetenv(name);
  }
  void TearDown() override { SetUp(); }

  std::variant<CommandLine, int> Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "holdfast");
    return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data(), out_, err_);
  }
  template <typename Command>
  Command Get(std::vector<const char*> arguments) {
    const auto parsed = Parse(std::move(arguments));
    EXPECT_TRUE(std::holds_alternative<CommandLine>(parsed)) << err_.str();
    return std::get<Command>(std::get<CommandLine>(parsed).command);
  }
  int ExitCode(std::vector<const char*> arguments) {
    const auto parsed = Parse(std::move(arguments));
    return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : -1;
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CommandLineTest, ExecTakesItsOptionsInAnyOrder) {
  const auto exec = Get<ExecCommand>({"exec", "--model", "m", "fix it", "--approve", "full", "--max-wait", "1m30s",
                                      "--json", "-o", "answer.txt", "--session", "s1"});
  EXPECT_EQ(exec.prompt, "fix it");
  EXPECT_EQ(exec.turn.model, "m");
  EXPECT_EQ(exec.turn.session_id, "s1");
  EXPECT_EQ(exec.turn.approval, ApprovalMode::kFull);
  EXPECT_EQ(exec.turn.max_wait, std::chrono::seconds(90));
  EXPECT_TRUE(exec.json);
  EXPECT_EQ(exec.output_file, "answer.txt");
}

TEST_F(CommandLineTest, ADashIsAPrompt) { EXPECT_EQ(Get<ExecCommand>({"exec", "-"}).prompt, "-"); }

TEST_F(CommandLineTest, WithoutOptionsTheDefaultsApply) {
  const auto exec = Get<ExecCommand>({"exec", "p"});
  EXPECT_EQ(exec.turn.approval, ApprovalMode::kAsk);
  EXPECT_FALSE(exec.turn.max_wait);
  EXPECT_EQ(exec.turn.model, "");
  const auto line = std::get<CommandLine>(Parse({"exec", "p"}));
  EXPECT_EQ(line.services.agent.ToString(), "127.0.0.1:50052");
  EXPECT_EQ(line.services.quota.ToString(), "127.0.0.1:50051");
}

TEST_F(CommandLineTest, AddressesComeFromFlagsThenTheEnvironment) {
  setenv("HOLDFAST_AGENT", "agent.example:1", 1);
  setenv("HOLDFAST_QUOTA", "unix:/run/q", 1);
  setenv("HOLDFAST_MODEL", "glm", 1);
  setenv("HOLDFAST_TOKEN", "secret", 1);
  const auto line = std::get<CommandLine>(Parse({"exec", "p", "--agent", "[::1]:7"}));
  EXPECT_EQ(line.services.agent.ToString(), "[::1]:7");
  EXPECT_EQ(line.services.quota.ToString(), "unix:/run/q");
  EXPECT_EQ(line.services.token, "secret");
  EXPECT_EQ(std::get<ExecCommand>(line.command).turn.new_model, "glm");
}

TEST_F(CommandLineTest, TheUsualModelIsForNewSessionsOnly) {
  setenv("HOLDFAST_MODEL", "glm", 1);
  EXPECT_EQ(Get<ExecCommand>({"exec", "p", "--session", "s"}).turn.model, "");
  const auto asked = Get<ExecCommand>({"exec", "p", "--model", "kimi"});
  EXPECT_EQ(asked.turn.model, "kimi");
  EXPECT_EQ(asked.turn.new_model, "kimi");
  EXPECT_EQ(Get<QuotaCheckCommand>({"quota", "check", "--tokens", "1"}).model, "glm");
}

TEST_F(CommandLineTest, QuotaCheckWaitsNotAtAllUnlessTold) {
  const auto check = Get<QuotaCheckCommand>({"quota", "check", "--model", "m", "--tokens", "51963"});
  EXPECT_EQ(check.tokens, 51963);
  EXPECT_EQ(check.max_wait, Duration::zero());
}

TEST_F(CommandLineTest, SessionsHasThreeActions) {
  EXPECT_EQ(Get<SessionsCommand>({"sessions", "list", "--json"}).action, SessionsCommand::Action::kList);
  EXPECT_EQ(Get<SessionsCommand>({"sessions", "show", "x"}).action, SessionsCommand::Action::kShow);
  const auto remove = Get<SessionsCommand>({"sessions", "delete", "x"});
  EXPECT_EQ(remove.action, SessionsCommand::Action::kDelete);
  EXPECT_EQ(remove.session_id, "x");
}

TEST_F(CommandLineTest, SessionsCancelNamesASession) {
  const auto cancel = Get<SessionsCommand>({"sessions", "cancel", "x"});
  EXPECT_EQ(cancel.action, SessionsCommand::Action::kCancel);
  EXPECT_EQ(cancel.session_id, "x");
  EXPECT_EQ(ExitCode({"sessions", "cancel"}), 2);
}

TEST_F(CommandLineTest, AnExportReplacesFilesOnlyByForce) {
  EXPECT_FALSE(Get<SessionsCommand>({"sessions", "export", "x", "f"}).force);
  EXPECT_TRUE(Get<SessionsCommand>({"sessions", "export", "x", "f", "--force"}).force);
  EXPECT_EQ(ExitCode({"sessions", "import", "f", "--force"}), 2);
}

TEST_F(CommandLineTest, MistakesAreUsageErrors) {
  EXPECT_EQ(ExitCode({}), 2);
  EXPECT_EQ(ExitCode({"exec"}), 2);
  EXPECT_EQ(ExitCode({"fly"}), 2);
  EXPECT_EQ(ExitCode({"sessions"}), 2);
  EXPECT_EQ(ExitCode({"exec", "p", "--session", "s", "--last"}), 2);
  EXPECT_EQ(ExitCode({"exec", "p", "--approve", "maybe"}), 2);
  EXPECT_EQ(ExitCode({"exec", "p", "--cwd", "/does/not/exist"}), 2);
  EXPECT_EQ(ExitCode({"exec", "p", "--agent", "nowhere"}), 2);
  EXPECT_EQ(ExitCode({"exec", "p", "--agent", "localhost:0"}), 2);
  EXPECT_EQ(ExitCode({"quota", "check", "--model", "m"}), 2);
  EXPECT_EQ(ExitCode({"quota", "check", "--model", "m", "--tokens", "-1"}), 2);
}

TEST_F(CommandLineTest, AMistakeIsNamedWithItsRemedy) {
  EXPECT_EQ(ExitCode({"exec", "p", "--max-wait", "15"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--max-wait"));
  EXPECT_THAT(err_.str(), HasSubstr("15m"));
}

TEST_F(CommandLineTest, TokensAreAWholeNumber) {
  for (const char* tokens : {"1e6", "1.5", "", "9999999999999999"}) {
    EXPECT_EQ(ExitCode({"quota", "check", "--model", "m", "--tokens", tokens}), 2) << tokens;
  }
  EXPECT_THAT(err_.str(), HasSubstr("\"1e6\" is no whole number from 0 to 1099511627776; write digits alone"));
}

TEST_F(CommandLineTest, ATokenThatNoHeaderCanCarryIsRefusedWithoutShowingIt) {
  setenv("HOLDFAST_TOKEN", "sec\nret", 1);
  EXPECT_EQ(ExitCode({"exec", "p"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("HOLDFAST_TOKEN"));
  EXPECT_THAT(err_.str(), testing::Not(HasSubstr("ret")));
}

TEST_F(CommandLineTest, HelpAndVersionGoToStandardOutput) {
  EXPECT_EQ(ExitCode({"--version"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("holdfast "));
  EXPECT_EQ(ExitCode({"--help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("75 must wait"));
  EXPECT_EQ(ExitCode({"exec", "--help"}), 0);
  EXPECT_EQ(err_.str(), "");
}

}  // namespace
}  // namespace holdfast::cli
