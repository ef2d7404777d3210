#include "clients/cli/tools/command_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/tools/spawn.h"
#include "tests/clients/cli/tools/temporary_folder.h"
#include "tests/clients/cli/tools/test_runner.h"

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using State = CommandRun::State;
using End = ShellResult::End;

// Gone, or a zombie, which is what a killed orphan is where nobody reaps it.
bool EndsSoon(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string stat = TemporaryFolder::Read(fmt::format("/proc/{}/stat", pid));
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos || stat[name_end + 2] == 'Z') return true;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

class CommandRunTest : public testing::Test {
 protected:
  CommandRunTest() : workspace_(::open(folder_.ws().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    for (const std::string name : {"go", "there"})
      EXPECT_EQ(::mkfifo((folder_.path() / name).c_str(), 0600), 0) << name;
  }

  // A client starts it, and is gone.
  void StartAndLeave(const std::string& command, milliseconds timeout = seconds(60)) {
    absl::StatusOr<CommandRun> run = CommandRun::Make(path_, {command, timeout});
    ASSERT_TRUE(run.ok()) << run.status();
    const absl::Status started = run->Start(TestRunner(), workspace_.get(), ChildEnvironment({}, {}));
    ASSERT_TRUE(started.ok()) << started;
  }
  // What the next client sees.
  CommandRun Find() {
    absl::StatusOr<CommandRun> run = CommandRun::Find(path_);
    EXPECT_TRUE(run.ok()) << run.status();
    return *std::move(run);
  }
  ShellResult AwaitResult(const CancelToken* cancel = nullptr) {
    CommandRun run = Find();
    EXPECT_EQ(run.Await(cancel).value(), State::kEnded);
    EXPECT_TRUE(run.record().result) << run.record().failure;
    return run.record().result.value_or(ShellResult{});
  }
  // As if whoever began it had done so where numbers of processes mean others.
  void SetSpace(const std::string& space) {
    std::string record = TemporaryFolder::Read(path_);
    const size_t begin = record.find("\"space\":\"") + 9;
    ASSERT_NE(record.find(ProcessSpace()), std::string::npos) << record;
    original_ = record;
    record.replace(begin, record.find('"', begin) - begin, space);
    TemporaryFolder::Write(path_, record);
  }
  void SetSpaceBack() { TemporaryFolder::Write(path_, original_); }
  // Blocks until the command writes into ../there.
  std::string There() { return TemporaryFolder::Read(folder_.path() / "there"); }
  // Lets a command go on that reads ../go.
  void Go() { TemporaryFolder::Write(folder_.path() / "go", "\n"); }

  TemporaryFolder folder_;
  UniqueFd workspace_;
  std::string path_ = folder_.path() / "run";
  std::string original_;
};

TEST_F(CommandRunTest, ANewClientFindsACommandThatRunsAndAwaitsIt) {
  StartAndLeave("echo begins; echo > ../there; read -r go < ../go; echo ends; exit 3");
  There();
  CommandRun run = Find();
  EXPECT_EQ(run.Look().value(), State::kRuns);
  EXPECT_TRUE(run.record().begun);
  Go();
  EXPECT_EQ(run.Await(nullptr).value(), State::kEnded);
  EXPECT_EQ(run.record().result->output, "begins\nends\n");
  EXPECT_EQ(run.record().result->code, 3);
}

TEST_F(CommandRunTest, ANewClientFindsWhatEndedMeanwhile) {
  StartAndLeave("echo done");
  AwaitResult();
  CommandRun run = Find();
  EXPECT_EQ(run.Look().value(), State::kEnded);
  EXPECT_EQ(run.record().result->output, "done\n");
  run.Remove();
  EXPECT_TRUE(absl::IsNotFound(CommandRun::Find(path_).status()));
}

TEST_F(CommandRunTest, ANewClientCancelsTheWholeGroup) {
  StartAndLeave("sleep 600 & echo $!; echo > ../there; wait");
  There();
  CancelToken cancel;
  cancel.Cancel();
  const ShellResult result = AwaitResult(&cancel);
  EXPECT_EQ(result.end, End::kCancelled);
  EXPECT_TRUE(EndsSoon(std::stoi(result.output)));
}

TEST_F(CommandRunTest, TheTimeOutNeedsNoClient) {
  StartAndLeave("sleep 600 & echo $!; wait", milliseconds(700));
  const ShellResult result = AwaitResult();
  EXPECT_EQ(result.end, End::kTimedOut);
  EXPECT_TRUE(EndsSoon(std::stoi(result.output)));
}

TEST_F(CommandRunTest, TheRunnerSurvivesWhatEndsAClientsTerminal) {
  StartAndLeave("ps -o sid= -p $PPID | tr -d ' '; echo $PPID; echo > ../there; read -r go < ../go; echo end");
  There();
  CommandRun run = Find();
  ASSERT_EQ(run.Look().value(), State::kRuns);
  EXPECT_EQ(::getsid(run.record().runner), run.record().runner);
  EXPECT_EQ(::getsid(run.record().command), run.record().command);
  ::kill(run.record().runner, SIGHUP);
  ::kill(run.record().runner, SIGPIPE);
  Go();
  EXPECT_THAT(AwaitResult().output, HasSubstr("end"));
}

TEST_F(CommandRunTest, AKilledRunnerLeavesTheCommandUndecidedAndNoProcessBehind) {
  StartAndLeave("echo > ../there; sleep 600");
  There();
  CommandRun run = Find();
  ASSERT_EQ(run.Look().value(), State::kRuns);
  ASSERT_EQ(::kill(run.record().runner, SIGKILL), 0);
  EXPECT_EQ(run.Await(nullptr).value(), State::kLost);
  EXPECT_TRUE(run.StopLeftovers());
  EXPECT_TRUE(EndsSoon(run.record().command));
}

TEST_F(CommandRunTest, ARunnerOfAnotherContainerIsNotToldToEndByANumberThatIsAnothersHere) {
  StartAndLeave("echo > ../there; read -r go < ../go; echo ends");
  There();
  SetSpace("elsewhere pid:[1]");
  CancelToken cancel;
  cancel.Cancel();
  const absl::StatusOr<State> state = Find().Await(&cancel);
  ASSERT_TRUE(absl::IsFailedPrecondition(state.status())) << state.status();
  EXPECT_THAT(std::string(state.status().message()), HasSubstr("another container"));
  SetSpaceBack();
  Go();
  EXPECT_EQ(AwaitResult().output, "ends\n") << "nobody ended it";
}

TEST_F(CommandRunTest, WhatIsLeftInAnotherContainerIsNotKilledByANumberThatIsAnothersHere) {
  StartAndLeave("echo > ../there; read -r go < ../go; echo > ../there");
  There();
  CommandRun run = Find();
  ASSERT_EQ(run.Look().value(), State::kRuns);
  ASSERT_EQ(::kill(run.record().runner, SIGKILL), 0);
  ASSERT_EQ(run.Await(nullptr).value(), State::kLost);
  SetSpace("elsewhere pid:[1]");
  ASSERT_EQ(run.Look().value(), State::kLost);
  ASSERT_FALSE(run.StopLeftovers());
  Go();
  There();  // it lived on
}

TEST_F(CommandRunTest, WhatNamesNoPlaceIsToldToEndHereWhereItsCommandIs) {
  StartAndLeave("echo > ../there; sleep 600");
  There();
  SetSpace("");
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(AwaitResult(&cancel).end, ShellResult::End::kCancelled);
}

TEST_F(CommandRunTest, WhatNamesNoPlaceIsNotToldToEndByANumberThatIsAnothersHere) {
  StartAndLeave("echo > ../there; read -r go < ../go; echo ends");
  There();
  CommandRun before = Find();
  ASSERT_EQ(before.Look().value(), State::kRuns);
  SetSpace("");
  std::string record = TemporaryFolder::Read(path_);
  const std::string& identity = before.record().identity;
  record.replace(record.find(identity), identity.size(), std::string(identity.size(), 'x'));
  TemporaryFolder::Write(path_, record);
  CancelToken cancel;
  cancel.Cancel();
  const absl::StatusOr<State> state = Find().Await(&cancel);
  ASSERT_TRUE(absl::IsFailedPrecondition(state.status())) << state.status();
  SetSpaceBack();
  Go();
  EXPECT_EQ(AwaitResult().output, "ends\n") << "nobody ended it";
}

TEST_F(CommandRunTest, ANumberThatNoCommandCanHaveIsNone) {
  for (const std::string number : {"1", "0", "-7", "4294967297", "9223372036854775807"}) {
    TemporaryFolder::Write(path_, "{\"command\":\"c\",\"timeout_ms\":1}\n{\"begun\":true,\"runner\":" + number +
                                      ",\"command\":" + number + ",\"identity\":\"i\",\"space\":\"\"}\n");
    CommandRun run = Find();
    ASSERT_EQ(run.Look().value(), State::kLost) << number;
    EXPECT_EQ(run.record().command, -1) << number;
    EXPECT_EQ(run.record().runner, -1) << number;
  }
}

TEST_F(CommandRunTest, APlaceWithoutTheBootIsNone) {
  const std::filesystem::path proc = folder_.path() / "proc";
  std::filesystem::create_directories(proc / "self/ns");
  std::filesystem::create_symlink("pid:[4026531836]", proc / "self/ns/pid");
  EXPECT_EQ(ProcessSpace(proc.string()), "");
  std::filesystem::create_directories(proc / "sys/kernel/random");
  EXPECT_EQ(ProcessSpace(proc.string()), "") << "nor with one that cannot be read";
  TemporaryFolder::Write((proc / "sys/kernel/random/boot_id").string(), "b-1\n");
  EXPECT_EQ(ProcessSpace(proc.string()), "b-1 pid:[4026531836]");
}

TEST_F(CommandRunTest, ARunnerThatNeverBeganHasRunNothing) {
  absl::StatusOr<CommandRun> run = CommandRun::Make(path_, {"touch ran", seconds(60)});
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(run->Start({"/bin/false"}, workspace_.get(), ChildEnvironment({}, {})).ok());
  EXPECT_EQ(run->Await(nullptr).value(), State::kNotBegun);
  ASSERT_TRUE(run->Start(TestRunner(), workspace_.get(), ChildEnvironment({}, {})).ok());
  EXPECT_EQ(run->Await(nullptr).value(), State::kEnded);
  EXPECT_TRUE(std::filesystem::exists(folder_.ws("ran")));
}

TEST_F(CommandRunTest, ACommandThatCouldNotBeWatchedIsNotStarted) {
  absl::StatusOr<CommandRun> run = CommandRun::Make(path_, {"touch ran", seconds(60)});
  ASSERT_TRUE(run.ok()) << run.status();
  std::filesystem::rename(path_, path_ + ".away");
  const auto children = [] { return TemporaryFolder::Read(fmt::format("/proc/self/task/{}/children", ::gettid())); };
  const std::string before = children();
  EXPECT_TRUE(absl::IsNotFound(run->Start(TestRunner(), workspace_.get(), ChildEnvironment({}, {}))));
  EXPECT_EQ(children(), before);
  std::filesystem::rename(path_ + ".away", path_);
  ASSERT_TRUE(run->Start(TestRunner(), workspace_.get(), ChildEnvironment({}, {})).ok());
  EXPECT_EQ(run->Await(nullptr).value(), State::kEnded);
}

TEST_F(CommandRunTest, ARunThatNobodyStartedIsNotBegun) {
  ASSERT_TRUE(CommandRun::Make(path_, {"true", seconds(60)}).ok());
  EXPECT_EQ(Find().Look().value(), State::kNotBegun);
}

TEST_F(CommandRunTest, SaysWhyACommandCannotStart) {
  StartAndLeave("true " + std::string(300'000, 'x'));
  CommandRun run = Find();
  EXPECT_EQ(run.Await(nullptr).value(), State::kEnded);
  EXPECT_FALSE(run.record().result);
  EXPECT_THAT(run.record().failure, HasSubstr("Argument list too long"));
}

TEST_F(CommandRunTest, PassesTheEnvironmentOnAndNoDescriptor) {
  absl::StatusOr<CommandRun> run = CommandRun::Make(
      path_,
      {"echo $MARK; for fd in /proc/self/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && readlink /proc/$$/fd/$n; done; true",
       seconds(60)});
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(run->Start(TestRunner(), workspace_.get(), ChildEnvironment({}, {{"MARK", "seen"}})).ok());
  EXPECT_EQ(run->Await(nullptr).value(), State::kEnded);
  EXPECT_EQ(run->record().result->output, "seen\n");
}

TEST_F(CommandRunTest, AResultThatIsNotWhollyThereIsNone) {
  StartAndLeave("echo a result of some length");
  AwaitResult();
  const std::string whole = TemporaryFolder::Read(path_);
  for (size_t length = whole.find("\"end\""); length < whole.size(); ++length) {
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(length)), 0);
    EXPECT_EQ(Find().Look().value(), State::kLost) << length;
    TemporaryFolder::Write(path_, whole);
  }
  std::string other = whole;
  other[whole.size() - 3] = '#';
  TemporaryFolder::Write(path_, other);
  EXPECT_EQ(Find().Look().value(), State::kLost);
}

TEST_F(CommandRunTest, AFileThatIsNoRecordIsSaidToBeNone) {
  TemporaryFolder::Write(path_, "#!/bin/sh\n");
  EXPECT_TRUE(absl::IsDataLoss(Find().Look().status()));
}

TEST(ProcessIdentity, TellsAProcessFromNone) {
  EXPECT_NE(ProcessIdentity(::getpid()), "");
  EXPECT_EQ(ProcessIdentity(::getpid()), ProcessIdentity(::getpid()));
  EXPECT_NE(ProcessIdentity(::getpid()), ProcessIdentity(1));
  EXPECT_EQ(ProcessIdentity(-1), "");
}

}  // namespace
}  // namespace holdfast::cli
