// The disks of the client: full, or not to be written to. And standard output that takes nothing.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/clients/cli/commands/cli_test.h"

namespace holdfast::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// Files cannot grow in processes that are started meanwhile: to them every disk is full.
class FullDisk {
 public:
  FullDisk() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit full = before_;
    full.rlim_cur = 0;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class DiskTest : public CliTest {
 protected:
  static void AnswerAndComplete(ScriptedTurn& turn) {
    turn.Answer("The answer.");
    turn.Complete();
  }
};

TEST_F(DiskTest, AJournalThatCannotBeWrittenRunsNothingAndCancelsTheTurn) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "shell", R"({"command":"mkdir ran"})");
    turn.AwaitCancel();
  });
  // Not the first run here: that one would be told before its turn.
  const std::filesystem::path journals = home_ / ".local/state/holdfast/journal";
  std::filesystem::create_directories(journals);
  std::ofstream(journals / "host") << "h0st\n";
  std::unique_ptr<CliProcess> cli;
  {
    const FullDisk full;
    cli = std::make_unique<CliProcess>(std::vector<std::string>{"exec", "p", "--approve", "full"}, Plain());
  }
  EXPECT_EQ(cli->ExitCode(), 1);
  EXPECT_THAT(cli->err(), AllOf(HasSubstr("the journal of tool calls failed"), HasSubstr("/holdfast/journal/"),
                                HasSubstr("free some space")));
  EXPECT_EQ(agent_.cancels(), 1);
  EXPECT_THAT(agent_.tool_results(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(workspace() / "ran"));
}

TEST_F(DiskTest, AJournalThatCannotBeMadeIsNamedWithItsRemedyBeforeTheTurn) {
  std::ofstream(home_ / "file") << "not a folder";
  environment_["XDG_STATE_HOME"] = (home_ / "file").string();
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), AllOf(HasSubstr((home_ / "file").string()), HasSubstr("XDG_STATE_HOME")));
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(DiskTest, WithoutAHomeNoSessionIsMade) {
  environment_.erase("HOME");
  CliProcess cli({"exec", "p"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("set HOME or XDG_STATE_HOME"));
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(DiskTest, AnOutputFileThatCannotBeOpenedIsNamedBeforeTheTurn) {
  std::filesystem::create_directory(home_ / "folder");
  for (const std::string& path : {(home_ / "folder").string(), (home_ / "absent" / "file").string(),
                                  std::string("/proc/version/x"), std::string("")}) {
    CliProcess cli({"exec", "p", "-o", path}, Plain());
    EXPECT_EQ(cli.ExitCode(), 2) << path << cli.err();
    EXPECT_THAT(cli.err(), HasSubstr("-o")) << path;
  }
  EXPECT_THAT(agent_.created(), IsEmpty());
}

TEST_F(DiskTest, AnOutputFileThatTakesNoMoreIsNamedAndTheAnswerIsPrintedAllTheSame) {
  agent_.Play(AnswerAndComplete);
  CliProcess cli({"exec", "p", "-o", "/dev/full"}, Plain());
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_EQ(cli.out(), "The answer.\n");
  EXPECT_THAT(cli.err(), HasSubstr("-o /dev/full: No space left on device"));
}

TEST_F(DiskTest, StandardOutputOnAFullDiskIsNamedAndTheSessionKeepsTheAnswer) {
  agent_.Play(AnswerAndComplete);
  CliProcess::Options options = Plain();
  options.output_to = "/dev/full";
  CliProcess cli({"exec", "p"}, options);
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), AllOf(HasSubstr("standard output cannot be written: No space left on device"),
                               HasSubstr("holdfast sessions show session-1")));
}

// Without care the journal, or the connection, would get the number of standard output, and the answer with it.
TEST_F(DiskTest, AClosedStandardOutputIsAFailureAndNoOtherFileGetsTheAnswer) {
  agent_.Play([](ScriptedTurn& turn) {
    turn.CallTool("call-1", "list_files", "{}");
    turn.AwaitToolResult("call-1");
    turn.Answer("The answer.");
    turn.Complete();
  });
  CliProcess::Options options = Plain();
  options.output_to = "-";
  CliProcess cli({"exec", "p"}, options);
  EXPECT_EQ(cli.ExitCode(), 1);
  EXPECT_THAT(cli.err(), HasSubstr("standard output cannot be written"));
  const auto journal = home_ / ".local/state/holdfast/journal/session-1.jsonl";
  EXPECT_THAT(FileText(journal), AllOf(HasSubstr("call-1"), testing::Not(HasSubstr("The answer."))));
}

TEST_F(DiskTest, AReaderThatLeavesAfterTheFirstLineEndsListsQuietly) {
  for (int i = 0; i < 50; ++i) agent_.AddSession(workspace(), "title");
  CliProcess::Options options = Plain();
  options.close_output = true;
  const std::vector<std::string> commands[] = {
      {"sessions", "list"}, {"sessions", "list", "--json"}, {"sessions", "show", "session-1"}};
  for (const std::vector<std::string>& command : commands) {
    CliProcess cli(command, options);
    EXPECT_EQ(cli.ExitCode(), 1) << command[1];
    EXPECT_EQ(cli.err(), "") << command[1];
  }
}

}  // namespace
}  // namespace holdfast::cli
