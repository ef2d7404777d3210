#include "clients/cli/tools/shell.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Waits until the process is gone or a zombie, which is what a killed orphan is where nobody reaps it; false after 20
// s.
bool EndsSoon(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    if (::kill(pid, 0) != 0) return true;
    const std::string stat = TemporaryFolder::Read(fmt::format("/proc/{}/stat", pid));
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos || stat[name_end + 2] == 'Z') return true;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

class ShellTest : public testing::Test {
 protected:
  ShellTest() : fd_(::open(folder_.ws().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  ShellCommand Command(const std::string& text, milliseconds timeout = seconds(30)) {
    return {.command = text, .folder = fd_.get(), .timeout = timeout, .hidden = {}, .added = {}};
  }
  ShellResult Run(const ShellCommand& command) {
    absl::StatusOr<ShellResult> result = RunShell(command);
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }
  ShellResult Run(const std::string& text) { return Run(Command(text)); }

  TemporaryFolder folder_;
  UniqueFd fd_;
};

TEST_F(ShellTest, MergesOutputAndErrorAndReportsTheExitCode) {
  const ShellResult result = Run("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.end, ShellResult::End::kExited);
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_FALSE(result.left_in_background);
  const ToolOutcome outcome = DescribeShellResult(result);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, StartsWith("exit code 3 after "));
}

TEST_F(ShellTest, RunsInTheFolderWithoutInputInASessionOfItsOwn) {
  EXPECT_EQ(Run("pwd -P; cat; echo end").output, std::filesystem::canonical(folder_.ws()).string() + "\nend\n");
  EXPECT_EQ(Run("read -r _ _ _ _ pgrp session _ < /proc/$$/stat; test $pgrp = $$ && test $session = $$").code, 0);
}

TEST_F(ShellTest, TakesACommandThatLooksLikeAnOption) { EXPECT_EQ(Run("-c true").code, 127); }

TEST_F(ShellTest, ReportsASignal) {
  const ShellResult result = Run("kill -SEGV $$");
  EXPECT_EQ(result.end, ShellResult::End::kSignalled);
  EXPECT_EQ(result.code, SIGSEGV);
  EXPECT_THAT(DescribeShellResult(result).output, HasSubstr("signal 11"));
}

TEST_F(ShellTest, HidesTheNamedVariablesAndPassesTheOthersOn) {
  ::setenv("HOLDFAST_TEST_SECRET", "s3cret", 1);
  ::setenv("HOLDFAST_TEST_SECRET_NOT", "open", 1);
  ShellCommand command = Command("env | grep HOLDFAST_TEST; echo $ADDED");
  command.hidden = {"HOLDFAST_TEST_SECRET"};
  command.added = {{"ADDED", "yes"}};
  EXPECT_EQ(Run(command).output, "HOLDFAST_TEST_SECRET_NOT=open\nyes\n");
  ::unsetenv("HOLDFAST_TEST_SECRET");
  ::unsetenv("HOLDFAST_TEST_SECRET_NOT");
}

TEST_F(ShellTest, PassesNoOtherDescriptorOn) {
  const UniqueFd leak(::open("/dev/null", O_RDONLY));  // without close-on-exec
  EXPECT_EQ(
      Run("for fd in /proc/self/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && readlink /proc/$$/fd/$n; done; true").output, "");
}

TEST_F(ShellTest, ResetsTheSignalMaskAndIgnoredSignals) {
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &old);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const ShellResult terminated = Run("kill -TERM $$; echo survived");
  const ShellResult piped = Run("kill -PIPE $$; echo survived");
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGPIPE, handler);
  EXPECT_EQ(terminated.code, SIGTERM) << terminated.output;
  EXPECT_EQ(piped.code, SIGPIPE) << piped.output;
}

TEST_F(ShellTest, KillsGrandchildrenAtTheTimeOut) {
  const ShellResult result =
      Run(Command("sh -c 'echo $$; exec sleep 600' & sh -c 'sleep 600 & echo $!; wait' & wait", milliseconds(1500)));
  EXPECT_EQ(result.end, ShellResult::End::kTimedOut);
  EXPECT_THAT(DescribeShellResult(result).output, StartsWith("timed out after"));
  std::istringstream pids(result.output);
  int count = 0;
  for (pid_t pid = 0; pids >> pid; ++count) EXPECT_TRUE(EndsSoon(pid)) << pid;
  EXPECT_EQ(count, 2);
}

TEST_F(ShellTest, KillsAGroupThatIgnoresTheFirstSignal) {
  const auto start = std::chrono::steady_clock::now();
  const ShellResult result = Run(Command("trap '' TERM; echo $$; while :; do sleep 600; done", milliseconds(300)));
  EXPECT_EQ(result.end, ShellResult::End::kTimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(15));
  EXPECT_TRUE(EndsSoon(std::stoi(result.output)));
}

TEST_F(ShellTest, BoundsAFlood) {
  const ShellResult result = Run("yes holdfast | head -c 100000000; echo; echo the end");
  EXPECT_EQ(result.code, 0);
  EXPECT_LT(result.output.size(), 64u * 1024);
  EXPECT_THAT(result.output, StartsWith("holdfast\n"));
  EXPECT_THAT(result.output, HasSubstr("bytes left out"));
  EXPECT_TRUE(result.output.ends_with("the end\n"));
  EXPECT_LT(result.duration, seconds(20));
}

TEST_F(ShellTest, RepairsOutputThatIsNoText) {
  EXPECT_EQ(Run("printf 'a\\377b'").output,
            "a\xEF\xBF\xBD"
            "b");
}

TEST_F(ShellTest, DoesNotWaitForABackgroundChildThatHoldsTheOutput) {
  const ShellResult result = Run("sleep 600 & echo $!");
  EXPECT_EQ(result.end, ShellResult::End::kExited);
  EXPECT_TRUE(result.left_in_background);
  EXPECT_LT(result.duration, seconds(10));
  const pid_t child = std::stoi(result.output);
  EXPECT_EQ(::kill(child, 0), 0) << "it was to be left running";
  ::kill(child, SIGKILL);
  EXPECT_TRUE(EndsSoon(child));
}

TEST_F(ShellTest, DoesNotWaitForABackgroundChildThatFloodsTheOutput) {
  const ShellResult result = Run("yes & echo $!");
  EXPECT_LT(result.duration, seconds(10));
  EXPECT_TRUE(EndsSoon(std::stoi(result.output.substr(0, 20)))) << "nobody reads its output any more";
}

TEST_F(ShellTest, IsCancelledFromAnotherThreadWithItsGroup) {
  CancelToken cancel;
  const std::string started = folder_.path() / "started";
  ASSERT_EQ(::mkfifo(started.c_str(), 0600), 0);
  ShellCommand command = Command("sleep 600 & echo $!; echo > ../started; wait");
  command.cancel = &cancel;
  std::thread canceller([&] {
    TemporaryFolder::Read(started);  // blocks until the command is there
    cancel.Cancel();
  });
  const ShellResult result = Run(command);
  canceller.join();
  EXPECT_EQ(result.end, ShellResult::End::kCancelled);
  EXPECT_LT(result.duration, seconds(15));
  EXPECT_TRUE(EndsSoon(std::stoi(result.output)));
  EXPECT_THAT(DescribeShellResult(result).output, StartsWith("cancelled by the user"));
}

TEST_F(ShellTest, DoesNotStartOnceCancelled) {
  CancelToken cancel;
  cancel.Cancel();
  ShellCommand command = Command("touch ran");
  command.cancel = &cancel;
  EXPECT_EQ(Run(command).end, ShellResult::End::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(folder_.ws("ran")));
}

TEST_F(ShellTest, ReportsACommandThatIsTooLongToStart) {
  EXPECT_FALSE(RunShell(Command("true " + std::string(300000, 'x'))).ok());
}

TEST_F(ShellTest, LeavesNoZombie) {
  const ShellResult result = Run("echo $$");
  EXPECT_NE(::kill(std::stoi(result.output), 0), 0);
  EXPECT_THAT(DescribeShellResult(result).output, Not(HasSubstr("background")));
}

}  // namespace
}  // namespace holdfast::cli
