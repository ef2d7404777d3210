// agent_service is killed at the worst moments; the same `exec` prints the answer, and the upstream answers once.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "holdfast/agent/v1/agent.pb.h"
#include "tests/e2e/pair.h"
#include "tests/e2e/store_lock.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

class AgentKilled : public testing::Test {
 protected:
  std::string SessionOf(Process& exec) {
    const auto started = exec.WaitForLine(Process::Stream::kErr, "session ");
    EXPECT_TRUE(started) << exec.err();
    return started ? started->substr(8) : "";
  }

  void ExpectOneAnswer(Process& exec, const std::string& session, const std::string& answer, size_t calls) {
    ASSERT_EQ(exec.WaitForExit(), 0) << exec.err() << pair_.agent_log();
    EXPECT_EQ(exec.out(), answer + "\n");
    EXPECT_EQ(pair_.simulator().Requests().size(), calls);
    const auto events = pair_.Events(session);
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
};

TEST_F(AgentKilled, WhileTheTurnWaits) {
  pair_.simulator().SetScript(R"({"limits": {"tokens": {"limit": 60000, "used": 0}},
      "answers": [{"when": {"last_user_contains": "prime"}, "text": "ok", "set_used": {"tokens": 60000}}], "default": {"text": "The answer."}})");
  ASSERT_EQ(pair_.Exec("prime")->WaitForExit(), 0);
  auto exec = pair_.Exec(PromptOf(16000, "hello"));
  const std::string session = SessionOf(*exec);
  ASSERT_TRUE(exec->WaitForLine(Process::Stream::kErr, "rate limited")) << exec->err();
  pair_.KillAgent();
  pair_.StartAgent();
  ExpectOneAnswer(*exec, session, "The answer.", 2);
}

TEST_F(AgentKilled, WhileTheAnswerStreams) {
  pair_.simulator().SetScript(
      R"({"default": {"text": "A long answer that takes a while.", "chunks": 20, "event_delay_ms": 100}})");
  auto exec = pair_.Exec("hello");
  const std::string session = SessionOf(*exec);
  ASSERT_TRUE(pair_.simulator().AwaitRequestCount(1));
  pair_.KillAgent();
  pair_.StartAgent();
  ExpectOneAnswer(*exec, session, "A long answer that takes a while.", 1);
}

TEST_F(AgentKilled, AfterTheAnswerCameAndBeforeItIsCommitted) {
  pair_.simulator().SetScript(R"({"default": {"text": "The answer.", "chunks": 5, "event_delay_ms": 200}})");
  auto exec = pair_.Exec("hello");
  const std::string session = SessionOf(*exec);
  ASSERT_TRUE(pair_.simulator().AwaitRequestCount(1));

  auto lock = std::make_unique<StoreLock>(pair_.database());
  ASSERT_TRUE(
      pair_.simulator().AwaitRequests([](const auto& requests) { return requests.front().at("completed").as_bool(); }));
  const auto deadline = BootClock::now() + kPatience;
  while (pair_.QuotaMetric("holdfast_calls_total", "outcome=\"completed\"").value_or(0) < 1) {
    ASSERT_LT(BootClock::now(), deadline);
    std::this_thread::yield();
  }
  pair_.KillAgent();
  EXPECT_EQ(lock->Count(agent::v1::SessionEvent::kModelAnswered), 0)
      << "the answer was committed before the kill; the test would prove nothing";
  lock.reset();

  pair_.StartAgent();
  ExpectOneAnswer(*exec, session, "The answer.", 1);
}

TEST(QuotaKilled, WhileTheAnswerStreamsTheTurnStillEndsWithOneAnswer) {
  Pair pair;
  pair.simulator().SetScript(
      R"({"default": {"text": "A long answer that takes a while.", "chunks": 20, "event_delay_ms": 50}})");
  auto exec = pair.Exec("hello");
  ASSERT_TRUE(pair.simulator().AwaitRequestCount(1));
  pair.KillQuota();
  pair.StartQuota();
  ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
  EXPECT_EQ(exec->out(), "A long answer that takes a while.\n");
  // Once before the kill, once after: paid twice, committed once.
  EXPECT_EQ(pair.simulator().Requests().size(), 2u);
}

TEST(BusySession, ASecondTurnIsRefusedAndTheFirstGoesOn) {
  Pair pair;
  pair.simulator().SetScript(R"({"default": {"text": "The answer.", "chunks": 10, "event_delay_ms": 100}})");
  auto first = pair.Exec("hello");
  const auto started = first->WaitForLine(Process::Stream::kErr, "session ");
  ASSERT_TRUE(started) << first->err();
  ASSERT_TRUE(pair.simulator().AwaitRequestCount(1));
  for (const char* machine : {"state", "elsewhere"}) {
    auto second = pair.Exec("me too", {"--session", started->substr(8)}, machine);
    EXPECT_EQ(second->WaitForExit(), 1);
    EXPECT_NE(second->err().find("busy"), std::string::npos) << second->err();
  }
  EXPECT_EQ(first->WaitForExit(), 0);
  EXPECT_EQ(first->out(), "The answer.\n");
}

}  // namespace
}  // namespace holdfast::test
