// agent_service's disk fills up, or its database is locked, in the middle of a turn: everybody is told why, nothing
// acknowledged is lost, and the turn goes on by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/e2e/pair.h"
#include "tests/support/raw_rpc.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::HasSubstr;

// SQLite tells a file that may not grow from a full disk by errno alone, which it does not always keep.
const auto kRemedy = testing::AnyOf(HasSubstr("free some"), HasSubstr("check the disk"));

class DiskFaults : public testing::Test {
 protected:
  // A file that may not grow is to SQLite what a full disk is; and this disk can be emptied again.
  void SetFull(bool full) {
    rlimit limit{};
    ASSERT_EQ(prlimit(pair_.agent().pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    ASSERT_EQ(prlimit(pair_.agent().pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }

  // What probes see. grpc.health.v1: HealthCheckResponse.status is field 1; 1 is SERVING, 2 is NOT_SERVING.
  bool AwaitHealth(int status) const {
    const auto deadline = BootClock::now() + kPatience;
    std::string answer;
    do {
      SendRaw(UnboundedChannel(pair_.agent_grpc()), "/grpc.health.v1.Health/Check", "", "", &answer);
      if (answer == WireNumber(1, static_cast<uint64_t>(status))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (BootClock::now() < deadline);
    return false;
  }

  // `exec` whose answer takes a while; it returns when the upstream has the request.
  std::unique_ptr<Process> ExecUntilSent() {
    pair_.simulator().SetScript(R"({"default": {"text": "The answer.", "chunks": 5, "event_delay_ms": 100}})");
    auto exec = pair_.Exec("hello");
    const auto started = exec->WaitForLine(Process::Stream::kErr, "session ");
    EXPECT_TRUE(started) << exec->err();
    session_ = started ? started->substr(8) : "";
    EXPECT_TRUE(pair_.simulator().AwaitRequestCount(1));
    return exec;
  }

  void ExpectTheOneAnswer(Process& exec) {
    ASSERT_EQ(exec.WaitForExit(), 0) << exec.err() << pair_.agent_log();
    EXPECT_EQ(exec.out(), "The answer.\n");
    EXPECT_EQ(pair_.simulator().Requests().size(), 1u);
    const auto events = pair_.Events(session_);
    const auto count = [&](const char* kind) {
      return std::count_if(events.begin(), events.end(),
                           [&](const json::value& event) { return event.as_object().contains(kind); });
    };
    EXPECT_EQ(count("model_answered"), 1);
    EXPECT_EQ(count("turn_completed"), 1);
    for (size_t i = 0; i < events.size(); ++i)
      EXPECT_EQ(std::string(events[i].at("sequence").as_string()), std::to_string(i + 1));
  }

  Pair pair_;
  std::string session_;
};

TEST_F(DiskFaults, AFullDiskInATurnIsToldAndTheTurnGoesOnWhenThereIsRoom) {
  auto exec = ExecUntilSent();
  SetFull(true);
  const auto told = exec->WaitForLine(Process::Stream::kErr, "agent_service cannot go on");
  ASSERT_TRUE(told) << exec->err() << pair_.agent_log();
  EXPECT_THAT(*told, AllOf(HasSubstr(pair_.database().string()), kRemedy, HasSubstr("session saved")));
  EXPECT_TRUE(AwaitHealth(2)) << "not ready";

  // Who asks for something new is told too; who only looks is served.
  auto other = pair_.Exec("me too", {}, "elsewhere");
  EXPECT_THAT(other->WaitForExit(), testing::Optional(testing::AnyOf(1, 69)));
  EXPECT_THAT(other->err(), AllOf(HasSubstr(pair_.database().string()), kRemedy));
  EXPECT_EQ(other->out(), "");
  auto list = pair_.Cli({"sessions", "list"});
  EXPECT_EQ(list->WaitForExit(), 0) << list->err();
  EXPECT_THAT(list->out(), HasSubstr(session_));

  SetFull(false);
  ExpectTheOneAnswer(*exec);
  EXPECT_THAT(exec->err(), HasSubstr("agent_service is back"));
  EXPECT_TRUE(AwaitHealth(1));
}

// The command itself fills the disk: its result is the first event that finds no room.
TEST_F(DiskFaults, AToolsResultThatFindsNoRoomIsSentAgainAndTheTurnGoesOn) {
  ASSERT_EQ(mkfifo((pair_.workspace() / "there").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((pair_.workspace() / "go").c_str(), 0600), 0);
  pair_.simulator().SetScript(R"({
      "answers": [{"when": {"step": 0}, "tool_calls": [{"name": "shell", "arguments":
          {"command": "echo > there; read -r go < go; echo ran >> runs"}}]}],
      "default": {"text": "The answer."}})");
  auto exec = pair_.Exec("hello");
  const auto started = exec->WaitForLine(Process::Stream::kErr, "session ");
  ASSERT_TRUE(started) << exec->err();
  session_ = started->substr(8);
  std::ifstream(pair_.workspace() / "there").get();
  SetFull(true);
  std::ofstream(pair_.workspace() / "go") << "\n";
  const auto told = exec->WaitForLine(Process::Stream::kErr, "agent_service cannot go on");
  ASSERT_TRUE(told) << exec->err() << pair_.agent_log();
  EXPECT_THAT(*told, AllOf(HasSubstr(pair_.database().string()), kRemedy));
  EXPECT_TRUE(AwaitHealth(2)) << "not ready";

  SetFull(false);
  EXPECT_TRUE(AwaitHealth(1));
  ASSERT_EQ(exec->WaitForExit(), 0) << exec->err() << pair_.agent_log();
  EXPECT_EQ(exec->out(), "The answer.\n");
  EXPECT_EQ(std::filesystem::file_size(pair_.workspace() / "runs"), 4u) << "it ran once";
  const auto events = pair_.Events(session_);
  EXPECT_TRUE(std::any_of(events.begin(), events.end(),
                          [](const json::value& event) { return event.as_object().contains("turn_completed"); }));
}

TEST_F(DiskFaults, AProcessThatDiesOfAFullDiskLosesNothing) {
  auto exec = ExecUntilSent();
  SetFull(true);
  ASSERT_TRUE(exec->WaitForLine(Process::Stream::kErr, "agent_service cannot go on")) << exec->err();
  pair_.KillAgent();
  pair_.StartAgent();
  ExpectTheOneAnswer(*exec);
}

TEST_F(DiskFaults, ALockThatIsHeldForLongIsToldAndTheTurnGoesOnWhenItIsGone) {
  auto exec = ExecUntilSent();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(pair_.database().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_busy_timeout(database, 10000), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto told = exec->WaitForLine(Process::Stream::kErr, "agent_service cannot go on");
  ASSERT_TRUE(told) << exec->err() << pair_.agent_log();
  EXPECT_THAT(*told, AllOf(HasSubstr(pair_.database().string() + " is locked by another process"),
                           HasSubstr("end what holds it")));
  auto other = pair_.Exec("me too", {}, "elsewhere");
  EXPECT_EQ(other->WaitForExit(), 69);
  ASSERT_EQ(sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  ExpectTheOneAnswer(*exec);
}

}  // namespace
}  // namespace holdfast::test
