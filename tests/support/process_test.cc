#include "tests/support/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

namespace holdfast::test {
namespace {

using Stream = Process::Stream;

TEST(Process, CapturesBothStreamsAndTheExitCode) {
  Process process({"sh", "-c", "echo one; echo two >&2; exit 7"});
  EXPECT_EQ(process.WaitForExit(), 7);
  EXPECT_EQ(process.out(), "one\n");
  EXPECT_EQ(process.err(), "two\n");
}

TEST(Process, FindsALineThatComesLaterAndOneThatCameBefore) {
  Process process({"sh", "-c", "echo first; read line; echo \"got $line.\"; exec cat"}, {.keep_input_open = true});
  EXPECT_EQ(process.WaitForLine(Stream::kOut, "fir"), "first");
  process.Write("word\n");
  EXPECT_EQ(process.WaitForLine(Stream::kOut, "got"), "got word.");
  EXPECT_EQ(process.WaitForLine(Stream::kOut, "first"), "first");
  process.CloseInput();
  EXPECT_EQ(process.WaitForExit(), 0);
}

TEST(Process, GivesUpOnALineAtTheDeadlineOrTheEnd) {
  Process waits({"cat"}, {.keep_input_open = true});
  EXPECT_EQ(waits.WaitForLine(Stream::kOut, "never", std::chrono::milliseconds(20)), std::nullopt);
  EXPECT_EQ(waits.WaitForExit(std::chrono::milliseconds(20)), std::nullopt);
  Process ends({"sh", "-c", "printf 'no end of line'"});
  EXPECT_EQ(ends.WaitForLine(Stream::kOut, "no"), std::nullopt);
}

TEST(Process, GetsItsInputWholeHoweverLarge) {
  Process process({"wc", "-c"}, {.input = std::string(300'000, 'x')});
  EXPECT_EQ(process.WaitForExit(), 0);
  EXPECT_EQ(process.out(), "300000\n");
}

TEST(Process, HandsDownNoEnvironmentButWhatIsNamed) {
  setenv("HOLDFAST_TOKEN", "of the test", 1);
  Process process({"env"}, {.environment = {{"GIVEN", "yes"}}});
  unsetenv("HOLDFAST_TOKEN");
  EXPECT_EQ(process.WaitForExit(), 0);
  EXPECT_THAT(process.out(), testing::HasSubstr("GIVEN=yes\n"));
  EXPECT_THAT(process.out(), testing::Not(testing::HasSubstr("HOLDFAST_TOKEN")));
}

TEST(Process, RunsInItsFolder) {
  Process process({"pwd"}, {.folder = "/"});
  EXPECT_EQ(process.WaitForExit(), 0);
  EXPECT_EQ(process.out(), "/\n");
}

TEST(Process, SaysWhenAProgramIsNotThere) {
  Process process({"/no/such/program"});
  EXPECT_EQ(process.WaitForExit(), 127);
  EXPECT_THAT(process.err(), testing::HasSubstr("No such file"));
}

TEST(Process, DeliversSignals) {
  Process process({"cat"}, {.keep_input_open = true});
  process.Signal(SIGTERM);
  EXPECT_EQ(process.WaitForExit(), 128 + SIGTERM);
  process.Signal(SIGTERM);  // does nothing, to nobody
}

TEST(Process, TakesItsGrandchildrenAlong) {
  pid_t grandchild = 0;
  {
    Process process({"sh", "-c", "sleep 1000 & echo $!; wait"});
    grandchild = std::stoi(process.WaitForLine(Stream::kOut, "").value_or("0"));
    ASSERT_GT(grandchild, 0);
  }
  // It may be a zombie for a moment, until the init process reaps it.
  const BootTime end = BootClock::now() + kPatience;
  while (kill(grandchild, 0) == 0 && BootClock::now() < end) {
    Process ps({"ps", "-o", "stat=", "-p", std::to_string(grandchild)});
    ps.WaitForExit();
    if (ps.out().starts_with("Z")) return;
  }
  EXPECT_NE(kill(grandchild, 0), 0);
}

TEST(Process, DiesWithTheThreadThatStartedIt) {
  std::optional<Process> process;
  std::thread([&process] { process.emplace(std::vector<std::string>{"sleep", "1000"}); }).join();
  EXPECT_EQ(process->WaitForExit(), 128 + SIGKILL);
}

}  // namespace
}  // namespace holdfast::test
