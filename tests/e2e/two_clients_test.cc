// Two CLIs on one session: one runs the tools, both see the same, both may answer, and one goes on for the other.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/address.h"
#include "common/rpc/channel.h"
#include "tests/clients/cli/commands/cli_process.h"
#include "tests/e2e/pair.h"
#include "tests/e2e/session_watcher.h"

namespace holdfast::test {
namespace {

using agent::v1::SessionEvent;
using cli::CliProcess;

constexpr char kAnswer[] = "It is done.";

// Says that it runs, and takes a while.
std::string SlowCommand() { return "echo ran >> ran; sleep 2; echo counted"; }

std::string Script(const std::string& command) {
  return fmt::format(R"({{"answers": [
      {{"when": {{"step": 0}}, "text": "I run it.", "tool_calls": [{{"name": "shell", "arguments": {{"command": "{}"}}}}]}},
      {{"when": {{"step": 1}}, "text": "{}"}}]}})",
                     command, kAnswer);
}

class TwoClients : public testing::Test {
 protected:
  static std::string SessionOf(Process& exec) {
    const auto started = exec.WaitForLine(Process::Stream::kErr, "session ");
    EXPECT_TRUE(started) << exec.err();
    return started ? started->substr(8) : "";
  }
  std::unique_ptr<Process> Chat(const std::string& session, const std::string& machine = "state") {
    return pair_.Cli({"chat", "--session", session, "--cwd", pair_.workspace(), "--approve", "full"}, "", machine);
  }
  std::unique_ptr<SessionWatcher> Watch(const std::string& session) {
    return std::make_unique<SessionWatcher>(
        agent::v1::AgentService::NewStub(MakeChannel(ParseAddress(pair_.agent_grpc()).value())), session);
  }
  // The durable events that a watcher was told of, in their order.
  static std::vector<SessionEvent> Events(const SessionWatcher& watcher) {
    std::vector<SessionEvent> events;
    for (const auto& [sequence, bytes] : watcher.acknowledged()) events.emplace_back().ParseFromString(bytes);
    return events;
  }
  template <typename Condition>
  static bool Await(const Condition& holds, Duration patience = kPatience) {
    const BootTime end = BootClock::now() + patience;
    while (!holds()) {
      if (BootClock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  static int64_t LastLease(const SessionWatcher& watcher) {
    int64_t generation = 0;
    for (const SessionEvent& event : Events(watcher))
      if (event.has_tool_lease_granted()) generation = event.tool_lease_granted().generation();
    return generation;
  }
  static bool Ended(const SessionWatcher& watcher) {
    const auto events = Events(watcher);
    return !events.empty() && (events.back().has_turn_completed() || events.back().has_tool_lease_released()) &&
           std::any_of(events.begin(), events.end(), [](const auto& event) { return event.has_turn_completed(); });
  }
  std::string File(const std::string& name) const {
    std::ifstream file(pair_.workspace() / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  CliProcess::Options Terminal() const {
    CliProcess::Options options;
    options.folder = pair_.workspace();
    options.environment = {{"PATH", "/usr/bin:/bin"},
                           {"TERM", "xterm"},
                           {"HOME", pair_.state()},
                           {"XDG_STATE_HOME", pair_.state()},
                           {"HOLDFAST_AGENT", pair_.agent_grpc()},
                           {"HOLDFAST_MODEL", "o4-mini"}};
    options.terminal = true;
    return options;
  }

  Pair pair_;
};

TEST_F(TwoClients, ACancelFromElsewhereEndsTheCommandThatRuns) {
  pair_.simulator().SetScript(Script("echo $$ > shell; sleep 60; echo ended"));
  auto first = pair_.Exec("go");
  const std::string session = SessionOf(*first);
  ASSERT_TRUE(Await([&] { return File("shell").ends_with('\n'); })) << first->err();
  const std::string shell = "/proc/" + File("shell").substr(0, File("shell").size() - 1);
  ASSERT_TRUE(std::filesystem::exists(shell));
  auto second = pair_.Cli({"sessions", "cancel", session}, "", "elsewhere");
  ASSERT_EQ(second->WaitForExit(), 0) << second->err();
  ASSERT_TRUE(first->WaitForExit()) << first->err();
  EXPECT_NE(first->err().find("cancelled"), std::string::npos) << first->err();
  EXPECT_FALSE(std::filesystem::exists(shell)) << "the command goes on";
}

TEST_F(TwoClients, TheToolsMoveWithinThreeSecondsWhenTheirHolderIsKilled) {
  pair_.simulator().SetScript(Script(SlowCommand()));
  auto first = pair_.Exec("go");
  const std::string session = SessionOf(*first);
  const auto early = Watch(session);
  ASSERT_TRUE(Await([&] { return File("ran") == "ran\n"; })) << first->err();
  auto second = Chat(session);
  ASSERT_TRUE(second->WaitForLine(Process::Stream::kErr, "another holdfast runs the tools")) << second->err();
  const auto late = Watch(session);
  EXPECT_EQ(LastLease(*early), 1);

  first->Kill();
  const BootTime killed = BootClock::now();
  ASSERT_TRUE(Await([&] { return LastLease(*early) == 2; })) << second->err();
  const Duration moved = BootClock::now() - killed;
  RecordProperty("moved_after_ms", static_cast<int>(moved.count() / 1'000'000));
  fmt::print("the lease moved after {} ms\n", moved.count() / 1'000'000);
  EXPECT_LT(moved, std::chrono::seconds(3));

  ASSERT_EQ(second->WaitForExit(), 0) << second->err();
  EXPECT_NE(second->out().find(kAnswer), std::string::npos) << second->out();
  EXPECT_EQ(File("ran"), "ran\n") << "the command ran again";
  ASSERT_TRUE(Await([&] { return Ended(*early) && Ended(*late); }));
  ASSERT_TRUE(Await([&] { return early->acknowledged().size() == late->acknowledged().size(); }));
  EXPECT_EQ(early->acknowledged(), late->acknowledged());
  const auto events = Events(*early);
  const auto result =
      std::find_if(events.begin(), events.end(), [](const auto& event) { return event.has_tool_result_recorded(); });
  ASSERT_NE(result, events.end());
  EXPECT_EQ(result->tool_result_recorded().lease_generation(), 2);
  EXPECT_NE(result->tool_result_recorded().result().output().find("counted"), std::string::npos);
}

TEST_F(TwoClients, TheOneThatLooksOnRunsNothingWhileTheHolderLives) {
  pair_.simulator().SetScript(Script(SlowCommand()));
  auto first = pair_.Exec("go");
  const std::string session = SessionOf(*first);
  ASSERT_TRUE(Await([&] { return File("ran") == "ran\n"; })) << first->err();
  auto second = Chat(session);
  EXPECT_EQ(first->WaitForExit(), 0) << first->err();
  EXPECT_EQ(first->out(), std::string(kAnswer) + "\n");
  EXPECT_EQ(second->WaitForExit(), 0) << second->err();
  EXPECT_NE(second->err().find("shell: echo ran"), std::string::npos) << second->err();
  EXPECT_NE(second->out().find(kAnswer), std::string::npos);
  EXPECT_EQ(File("ran"), "ran\n");
}

TEST_F(TwoClients, AnotherMachineLooksOnAlsoWhenTheHolderIsGone) {
  pair_.simulator().SetScript(Script(SlowCommand()));
  auto first = pair_.Exec("go");
  const std::string session = SessionOf(*first);
  ASSERT_TRUE(Await([&] { return File("ran") == "ran\n"; })) << first->err();
  auto second = Chat(session, "other");
  ASSERT_TRUE(second->WaitForLine(Process::Stream::kErr, "the tools of the running turn are run in")) << second->err();
  first->Kill();
  auto third = Chat(session);  // of the first machine
  EXPECT_EQ(third->WaitForExit(), 0) << third->err();
  EXPECT_EQ(second->WaitForExit(), 0) << second->err();
  EXPECT_NE(second->out().find(kAnswer), std::string::npos);
  EXPECT_EQ(File("ran"), "ran\n");
}

TEST_F(TwoClients, TheFirstApprovalWinsAndTheOtherIsTold) {
  pair_.simulator().SetScript(Script("echo ran >> ran"));
  CliProcess first({"exec", "go", "--approve", "ask"}, Terminal());
  ASSERT_TRUE(first.SeesOut("The agent wants to run")) << first.out();
  const std::string out = first.out();
  const size_t at = out.find("session ") + 8;
  const std::string session = out.substr(at, out.find_first_of("\r\n\x1b", at) - at);
  CliProcess second({"chat", "--session", session, "--approve", "ask"}, Terminal());
  ASSERT_TRUE(second.SeesOut("The agent wants to run")) << second.out();
  second.Type("y\n");
  EXPECT_TRUE(first.SeesOut("approved by")) << first.out();
  EXPECT_EQ(first.ExitCode(), 0) << first.out();
  EXPECT_TRUE(second.SeesOut(kAnswer)) << second.out();
  second.Type("/quit\n");
  EXPECT_EQ(second.ExitCode(), 0);
  EXPECT_EQ(File("ran"), "ran\n");
  const auto watcher = Watch(session);
  ASSERT_TRUE(Await([&] { return Ended(*watcher); }));
  const auto events = Events(*watcher);
  EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const auto& event) { return event.has_approval_decided(); }),
            1);
}

TEST_F(TwoClients, AnAnswerOutlivesWhoAsked) {
  pair_.simulator().SetScript(Script("echo ran >> ran"));
  auto first = std::make_unique<CliProcess>(std::vector<std::string>{"exec", "go", "--approve", "ask"}, Terminal());
  ASSERT_TRUE(first->SeesOut("The agent wants to run")) << first->out();
  const std::string out = first->out();
  const size_t at = out.find("session ") + 8;
  const std::string session = out.substr(at, out.find_first_of("\r\n\x1b", at) - at);
  CliProcess second({"chat", "--session", session, "--approve", "ask"}, Terminal());
  ASSERT_TRUE(second.SeesOut("The agent wants to run")) << second.out();
  first->Signal(SIGKILL);
  EXPECT_EQ(first->ExitCode(), 128 + SIGKILL);
  second.Type("y\n");
  EXPECT_TRUE(second.SeesOut(kAnswer)) << second.out();
  EXPECT_EQ(File("ran"), "ran\n");
  EXPECT_EQ(second.out().find("The agent wants to run"), second.out().rfind("The agent wants to run")) << "asked twice";
  second.Type("/quit\n");
  EXPECT_EQ(second.ExitCode(), 0);
}

}  // namespace
}  // namespace holdfast::test
