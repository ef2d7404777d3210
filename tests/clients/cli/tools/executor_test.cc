#include "clients/cli/tools/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/cli/tools/staged_file.h"
#include "tests/clients/cli/tools/calls.h"
#include "tests/clients/cli/tools/temporary_folder.h"
#include "tests/clients/cli/tools/test_runner.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using State = JournalEntry::State;

class ExecutorTest : public testing::Test {
 protected:
  ExecutorTest() { Restart(); }

  // What a new process finds: the same journal and workspace.
  void Restart() {
    journal_.reset();
    journal_ = *Journal::Open(folder_.path() / "journal", "s");
  }
  ToolContext Context() const {
    return {.workspace = &workspace_, .hidden_variables = {}, .cancel = &cancel_, .runner = TestRunner()};
  }
  ToolOutcome Execute(const quota::v1::ToolCall& call, ApprovalMode mode = ApprovalMode::kFull,
                      ToolExecutor::Ask ask = nullptr) {
    ToolExecutor executor(mode, journal_.get(), Context(), std::move(ask));
    absl::StatusOr<ToolOutcome> outcome = executor.Execute(call);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return *std::move(outcome);
  }
  // A client starts the command, and is gone.
  void StartAndLeave(const quota::v1::ToolCall& call) {
    const ToolRequest request = *ParseToolCall(call);
    const auto& shell = std::get<ShellArguments>(request);
    absl::StatusOr<CommandRun> run = CommandRun::Make(journal_->RunPath("r"), {shell.command, shell.timeout});
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_TRUE(journal_->RecordStartedRun(call, "r").ok());
    const absl::StatusOr<UniqueFd> folder = OpenFolder(workspace_, shell);
    ASSERT_TRUE(run->Start(TestRunner(), folder->get(), ChildEnvironment({}, {})).ok());
    Restart();
  }
  std::vector<FileTransition> TransitionsOf(const quota::v1::ToolCall& call) {
    const ToolRequest request = *ParseToolCall(call);
    return PlanPatch(workspace_, std::get<Patch>(request))->transitions;
  }

  TemporaryFolder folder_;
  Workspace workspace_ = folder_.Open();
  std::unique_ptr<Journal> journal_;
  CancelToken cancel_;
  const quota::v1::ToolCall append_ = ShellCall("c1", "echo ran >> log; cat log");
};

TEST_F(ExecutorTest, RunsOnceAndReturnsTheSameResultForever) {
  const ToolOutcome first = Execute(append_);
  EXPECT_THAT(first.output, HasSubstr("ran"));
  EXPECT_EQ(Execute(append_).output, first.output);
  Restart();
  EXPECT_EQ(Execute(append_).output, first.output);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
}

TEST_F(ExecutorTest, RecordsTheStartBeforeTheToolRuns) {
  const std::string file = (folder_.path() / "journal" / "s.jsonl").string();
  const ToolOutcome outcome = Execute(ShellCall("c", "cat " + file));
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("\"state\":\"started\""), HasSubstr("\"call_id\":\"c\"")));
  EXPECT_THAT(folder_.Read(file), HasSubstr("\"state\":\"result\""));
}

TEST_F(ExecutorTest, DoesNotRunACommandAgainThatMayHaveRun) {
  ASSERT_TRUE(journal_->RecordStarted(append_, {}).ok());
  Restart();
  const ToolOutcome outcome = Execute(append_);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, HasSubstr("may or may not have run"));
  EXPECT_FALSE(fs::exists(folder_.ws("log")));
  Restart();
  EXPECT_EQ(Execute(append_).output, outcome.output);
}

TEST_F(ExecutorTest, TakesTheResultOfACommandThatOutlivedItsClient) {
  StartAndLeave(append_);
  EXPECT_THAT(Execute(append_).output, HasSubstr("ran"));
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
  EXPECT_TRUE(fs::is_empty(folder_.path() / "journal" / "runs"));
}

TEST_F(ExecutorTest, RunsACommandThatWasToBeStartedAndWasNot) {
  ASSERT_TRUE(CommandRun::Make(journal_->RunPath("r"), {"echo ran >> log", std::chrono::minutes(1)}).ok());
  ASSERT_TRUE(journal_->RecordStartedRun(append_, "r").ok());
  Restart();
  EXPECT_FALSE(Execute(append_).is_error);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
}

TEST_F(ExecutorTest, TellsOfACommandWhoseRunnerWasKilled) {
  const auto call = ShellCall("k", "echo ran >> log; kill -KILL $PPID; sleep 600");
  const ToolOutcome outcome = Execute(call);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, HasSubstr("may or may not have run"));
  Restart();
  EXPECT_EQ(Execute(call).output, outcome.output);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
}

TEST_F(ExecutorTest, AsksAUserWhetherACommandRunsAgain) {
  std::vector<ApprovalQuestion> questions;
  const auto answer = [&](ApprovalAnswer::Kind kind) {
    return [&questions, kind](const ApprovalQuestion& question) {
      questions.push_back(question);
      return ApprovalAnswer{.kind = kind, .reason = "I saw it run"};
    };
  };
  ASSERT_TRUE(journal_->RecordStarted(append_, {}).ok());
  const ToolOutcome told = Execute(append_, ApprovalMode::kFull, answer(ApprovalAnswer::Kind::kDeny));
  EXPECT_THAT(told.output, AllOf(HasSubstr("may or may not have run"), HasSubstr("I saw it run")));
  EXPECT_FALSE(fs::exists(folder_.ws("log")));
  const auto other = ShellCall("c2", "echo ran >> log");
  ASSERT_TRUE(journal_->RecordStarted(other, {}).ok());
  EXPECT_FALSE(Execute(other, ApprovalMode::kFull, answer(ApprovalAnswer::Kind::kOnce)).is_error);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_THAT(questions[1].warning, HasSubstr("may have run"));
  EXPECT_EQ(questions[1].command, "echo ran >> log");
}

TEST_F(ExecutorTest, TrustsNoRunThatItsJournalNamesAndThatIsNotThere) {
  ASSERT_TRUE(journal_->RecordStartedRun(append_, "gone").ok());
  Restart();
  EXPECT_THAT(Execute(append_).output, HasSubstr("may or may not have run"));
  EXPECT_FALSE(fs::exists(folder_.ws("log")));
}

TEST_F(ExecutorTest, CancelsACommandThatAnotherClientHasStarted) {
  const auto call = ShellCall("s", "sleep 600");
  StartAndLeave(call);
  cancel_.Cancel();
  EXPECT_THAT(Execute(call).output, HasSubstr("cancelled by the user"));
}

TEST_F(ExecutorTest, RunsAReadingToolAgain) {
  folder_.Write(folder_.ws("a"), "text");
  const auto call = Call("r", "read_file", {{"path", "a"}});
  ASSERT_TRUE(journal_->RecordStarted(call, {}).ok());
  Restart();
  EXPECT_EQ(Execute(call).output, "text");
}

TEST_F(ExecutorTest, AppliesAPatchThatHadNotBegun) {
  folder_.Write(folder_.ws("a"), "x\n");
  const auto call = PatchCall("p", "*** Update File: a\n x\n+y\n");
  ASSERT_TRUE(journal_->RecordStarted(call, TransitionsOf(call)).ok());
  Restart();
  EXPECT_FALSE(Execute(call).is_error);
  EXPECT_EQ(folder_.Read(folder_.ws("a")), "x\ny\n");
}

TEST_F(ExecutorTest, RemovesWhatAKilledClientHasLeftOfAPatch) {
  folder_.Write(folder_.ws("a"), "x\n");
  const auto call = PatchCall("p", "*** Add File: new/b\n+1\n*** Update File: a\n x\n+y\n");
  const PatchPlan plan = *PlanPatch(workspace_, std::get<Patch>(*ParseToolCall(call)));
  ASSERT_TRUE(journal_->RecordStarted(call, plan.transitions).ok());
  const pid_t killed = fork();
  if (killed == 0) {
    std::vector<absl::StatusOr<StagedFile>> staged;
    for (const PlannedChange& change : plan.changes) {
      staged.push_back(
          StagedFile::Create(workspace_, change.target, change.staged, change.content, nullptr, /*replaces=*/false));
    }
    _exit(staged[0].ok() && staged[1].ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(killed, &status, 0), killed);
  ASSERT_EQ(status, 0);
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.ws(""))) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    return names;
  };
  ASSERT_THAT(files(), testing::SizeIs(3)) << "nothing was left behind; the test would prove nothing";
  Restart();
  EXPECT_FALSE(Execute(call).is_error);
  EXPECT_THAT(files(), testing::UnorderedElementsAre("a", "b"));
  EXPECT_EQ(folder_.Read(folder_.ws("a")), "x\ny\n");
}

TEST_F(ExecutorTest, RemovesNothingElseInTheNameOfAPatch) {
  folder_.Write(folder_.ws("a"), "x\n");
  folder_.Write(folder_.ws("precious.tmp"), "kept");
  fs::create_directory(folder_.ws(".holdfast-"));
  const auto call = PatchCall("p", "*** Update File: a\n x\n+y\n");
  std::vector<FileTransition> transitions = TransitionsOf(call);
  for (const std::string name : {"precious.tmp", "../ws/precious.tmp", ".holdfast-/../precious.tmp"}) {
    transitions[0].staged = name;
    RemoveStaged(workspace_, transitions);
  }
  EXPECT_EQ(folder_.Read(folder_.ws("precious.tmp")), "kept");
}

TEST_F(ExecutorTest, DoesNotApplyAPatchAgainThatIsThere) {
  folder_.Write(folder_.ws("a"), "x\n");
  const auto call = PatchCall("p", "*** Update File: a\n x\n+y\n");  // would apply again
  const auto transitions = TransitionsOf(call);
  ASSERT_TRUE(journal_->RecordStarted(call, transitions).ok());
  ASSERT_FALSE(cli::Run(call, {.workspace = &workspace_, .hidden_variables = {}}).is_error);
  Restart();
  const ToolOutcome outcome = Execute(call);
  EXPECT_FALSE(outcome.is_error);
  EXPECT_THAT(outcome.output, HasSubstr("already applied"));
  EXPECT_EQ(folder_.Read(folder_.ws("a")), "x\ny\n");
}

TEST_F(ExecutorTest, ReportsAPatchThatCameHalfWay) {
  folder_.Write(folder_.ws("a"), "x\n");
  const auto call = PatchCall("p", "*** Add File: new\n+1\n*** Update File: a\n-x\n+y\n");
  ASSERT_TRUE(journal_->RecordStarted(call, TransitionsOf(call)).ok());
  folder_.Write(folder_.ws("new"), "1\n");
  Restart();
  const ToolOutcome outcome = Execute(call);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("new: changed as asked"), HasSubstr("a: not changed")));
  EXPECT_EQ(folder_.Read(folder_.ws("a")), "x\n");
}

TEST_F(ExecutorTest, JournalsWhatAPatchWillChangeBeforeItChanges) {
  Execute(PatchCall("p", "*** Add File: new\n+1\n"));
  EXPECT_THAT(
      folder_.Read(folder_.path() / "journal" / "s.jsonl"),
      AllOf(HasSubstr("\"files\":[{\"path\":\"new\",\"before\":\"absent\""), HasSubstr("\"state\":\"result\"")));
}

TEST_F(ExecutorTest, DeniesWithoutATerminalAndRunsNothing) {
  const ToolOutcome outcome = Execute(append_, ApprovalMode::kAsk);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, HasSubstr("nobody is there to ask"));
  EXPECT_FALSE(fs::exists(folder_.ws("log")));
}

TEST_F(ExecutorTest, AsksAndObeys) {
  int asked = 0;
  const auto answer = [&](ApprovalAnswer::Kind kind) {
    return [&asked, kind](const ApprovalQuestion&) {
      ++asked;
      return ApprovalAnswer{.kind = kind, .reason = "not today"};
    };
  };
  const ToolOutcome denied =
      Execute(ShellCall("1", "echo ran >> log"), ApprovalMode::kAsk, answer(ApprovalAnswer::Kind::kDeny));
  EXPECT_TRUE(denied.is_error);
  EXPECT_THAT(denied.output, HasSubstr("not today"));
  EXPECT_FALSE(fs::exists(folder_.ws("log")));
  EXPECT_FALSE(
      Execute(ShellCall("2", "echo ran >> log"), ApprovalMode::kAsk, answer(ApprovalAnswer::Kind::kOnce)).is_error);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\n");
}

TEST_F(ExecutorTest, RemembersAnAnswerForTheSession) {
  int asked = 0;
  ToolExecutor executor(ApprovalMode::kAsk, journal_.get(), Context(), [&](const ApprovalQuestion&) {
    ++asked;
    return ApprovalAnswer{.kind = ApprovalAnswer::Kind::kForSession, .reason = {}};
  });
  ASSERT_TRUE(executor.Execute(ShellCall("1", "echo ran >> log")).ok());
  ASSERT_TRUE(executor.Execute(ShellCall("2", "echo ran >> log")).ok());
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(folder_.Read(folder_.ws("log")), "ran\nran\n");
}

TEST_F(ExecutorTest, AsksNobodyAboutACallThatCannotRun) {
  const auto never = [](const ApprovalQuestion&) -> ApprovalAnswer {
    ADD_FAILURE() << "asked";
    return {};
  };
  EXPECT_TRUE(Execute(Call("1", "shell", {}), ApprovalMode::kAsk, never).is_error);
  EXPECT_TRUE(Execute(Call("2", "format_disk", {}), ApprovalMode::kAsk, never).is_error);
}

TEST_F(ExecutorTest, RunsNoProgramThatAPlantedRepositoryNames) {
  for (const std::string file : {"HEAD", "objects/x", "refs/x"})
    folder_.Write(folder_.ws(file), "ref: refs/heads/main\n");
  folder_.Write(
      folder_.ws("config"),
      "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = \"touch owned; false\"\n");
  const std::string unguarded = Execute(ShellCall("1", "git status"), ApprovalMode::kFull).output;
  if (unguarded.starts_with("exit code 127")) GTEST_SKIP() << "needs git";
  ASSERT_TRUE(fs::remove(folder_.ws("owned"))) << "the trap does not work: " << unguarded;
  EXPECT_THAT(Execute(ShellCall("2", "git status"), ApprovalMode::kAutoEdit).output, HasSubstr("exit code"));
  EXPECT_FALSE(fs::exists(folder_.ws("owned")));
}

}  // namespace
}  // namespace holdfast::cli
