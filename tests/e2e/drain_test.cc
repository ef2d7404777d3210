// SIGTERM while many turns run: none is lost, each answer is committed once, and the process ends within its bound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <iostream>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

constexpr Duration kLong = std::chrono::seconds(60);

std::string AnswerOf(int number) { return fmt::format("This is answer {}, whole.", number); }

// `each` turns stream, held in the middle of their answers, and as many wait for their turn.
class Turns {
 public:
  Turns(int each, const std::string& drain)
      : each_(each), pair_([&](const std::string& url) {
          return fmt::format(
              "upstreams:\n  - {{name: openai, base_url: \"{}\", profile: openai, api_key: {{env: OPENAI_API_KEY}},\n"
              "     limits: [{{concurrent: {}}}]}}\nbounds: {{drain: {}}}\n",
              url, each, drain);
        }) {
    json::array answers;
    for (int i = 0; i < 2 * each; ++i) {
      answers.push_back(
          {{"when", {{"last_user_contains", fmt::format("number {}.", i)}}}, {"text", AnswerOf(i)}, {"chunks", 5}});
    }
    pair_.simulator().SetScript(json::serialize(json::value{{"answers", answers}}));
    Hold(true);
    StartUpTo(each);
    EXPECT_TRUE(pair_.simulator().AwaitRequestCount(static_cast<size_t>(each), kLong));
    StartUpTo(2 * each);
    for (int i = each; i < 2 * each; ++i) {
      EXPECT_TRUE(At(i).WaitForLine(Process::Stream::kErr, "context saved", kLong)) << At(i).err();
    }
    EXPECT_EQ(requests(), each);
  }

  Pair& pair() { return pair_; }
  int requests() const { return static_cast<int>(pair_.simulator().Requests().size()); }
  void Hold(bool hold) const {
    pair_.simulator().Put("/options", json::serialize(json::value{{"hold_streams", hold}}));
  }

  // Those that streamed from the beginning.
  void ExpectStreamedAnswers() { ExpectAnswers(0, each_); }
  void ExpectAllAnswers() { ExpectAnswers(0, 2 * each_); }
  void ExpectEachCommittedOnce() {
    for (const auto& exec : execs_) {
      const auto session = exec->WaitForLine(Process::Stream::kErr, "session ");
      ASSERT_TRUE(session) << exec->err();
      const auto events = pair_.Events(session->substr(session->find(' ') + 1));
      for (const char* kind : {"model_answered", "turn_completed"}) {
        EXPECT_EQ(std::count_if(events.begin(), events.end(),
                                [&](const json::value& event) { return event.as_object().contains(kind); }),
                  1)
            << kind << ": " << json::serialize(json::array(events.begin(), events.end()));
      }
    }
  }

 private:
  Process& At(int i) { return *execs_.at(static_cast<size_t>(i)); }
  void StartUpTo(int count) {
    for (int i = static_cast<int>(execs_.size()); i < count; ++i) {
      execs_.push_back(pair_.Exec(fmt::format("What is number {}.", i)));
    }
  }
  void ExpectAnswers(int begin, int end) {
    for (int i = begin; i < end; ++i) {
      EXPECT_EQ(At(i).WaitForExit(kLong), 0) << At(i).err();
      EXPECT_EQ(At(i).out(), AnswerOf(i) + "\n") << At(i).err();
    }
  }

  const int each_;
  Pair pair_;
  std::vector<std::unique_ptr<Process>> execs_;
};

// The exit code after SIGTERM, and the seconds that it took.
struct End {
  std::optional<int> code;
  double seconds;
};

End EndOf(Process& process, BootTime signalled) {
  const auto code = process.WaitForExit(kLong);
  return {code, ToSeconds(BootClock::now() - signalled)};
}

BootTime Terminate(Process& process) {
  const BootTime now = BootClock::now();
  process.Signal(SIGTERM);
  return now;
}

void Report(const std::string& what, double seconds) { std::cout << fmt::format("{}: {:.2f} s\n", what, seconds); }

TEST(Drain, QuotaServiceFinishesWhatStreamsAndLeavesTheQueueToTheNext) {
  Turns turns(20, "50s");
  const BootTime signalled = Terminate(turns.pair().quota());
  EXPECT_TRUE(turns.pair().quota().WaitForLine(Process::Stream::kErr, "signal"));
  turns.Hold(false);
  const End end = EndOf(turns.pair().quota(), signalled);
  EXPECT_EQ(end.code, 0) << turns.pair().quota_log();
  EXPECT_LT(end.seconds, 50);
  turns.ExpectStreamedAnswers();
  EXPECT_EQ(turns.requests(), 20) << "what waited must not be sent by a process that goes";

  const BootTime restarted = BootClock::now();
  turns.pair().StartQuota();
  turns.ExpectAllAnswers();
  Report("quota_service, 20 streaming and 20 waiting: from SIGTERM to its end", end.seconds);
  Report("quota_service: from its restart to the last answer", ToSeconds(BootClock::now() - restarted));
  EXPECT_EQ(turns.requests(), 40);
  turns.ExpectEachCommittedOnce();
}

TEST(Drain, QuotaServiceBreaksStreamsOffAtItsBoundAndTheyAreMadeAnew) {
  Turns turns(20, "1s");
  const End end = EndOf(turns.pair().quota(), Terminate(turns.pair().quota()));
  EXPECT_EQ(end.code, 0) << turns.pair().quota_log();
  EXPECT_LT(end.seconds, 15);
  turns.Hold(false);
  const BootTime restarted = BootClock::now();
  turns.pair().StartQuota();
  turns.ExpectAllAnswers();
  Report("quota_service, drain 1s, streams that do not end: from SIGTERM to its end", end.seconds);
  Report("quota_service: from its restart to the last answer", ToSeconds(BootClock::now() - restarted));
  EXPECT_EQ(turns.requests(), 60) << "only the streams that broke off are asked for again";
  turns.ExpectEachCommittedOnce();
}

TEST(Drain, AgentServiceStopsWithinItsBoundAndTheNextTakesItsTurnsUp) {
  Turns turns(20, "30s");
  const End end = EndOf(turns.pair().agent(), Terminate(turns.pair().agent()));
  EXPECT_EQ(end.code, 0) << turns.pair().agent_log();
  EXPECT_LT(end.seconds, 15);
  turns.Hold(false);
  const BootTime restarted = BootClock::now();
  turns.pair().StartAgent();
  turns.ExpectAllAnswers();
  Report("agent_service, 20 streaming and 20 waiting: from SIGTERM to its end", end.seconds);
  Report("agent_service: from its restart to the last answer", ToSeconds(BootClock::now() - restarted));
  EXPECT_EQ(turns.requests(), 40) << "the calls went on in quota_service";
  turns.ExpectEachCommittedOnce();
}

TEST(Drain, ASecondSignalEndsQuotaServiceAtOnceAndNothingIsLost) {
  Turns turns(2, "1h");
  Terminate(turns.pair().quota());
  EXPECT_TRUE(turns.pair().quota().WaitForLine(Process::Stream::kErr, "signal"));
  const End end = EndOf(turns.pair().quota(), Terminate(turns.pair().quota()));
  EXPECT_EQ(end.code, 1);
  EXPECT_LT(end.seconds, 10);
  turns.Hold(false);
  turns.pair().StartQuota();
  turns.ExpectAllAnswers();
  EXPECT_EQ(turns.requests(), 6) << "two broken off, four answered";
  turns.ExpectEachCommittedOnce();
}

TEST(Drain, TwoSignalsEndAgentServiceAndNothingIsLost) {
  Turns turns(2, "30s");
  Terminate(turns.pair().agent());
  const End end = EndOf(turns.pair().agent(), Terminate(turns.pair().agent()));
  // It may have been done when the second came.
  EXPECT_TRUE(end.code == 0 || end.code == 1) << end.code.value_or(-1);
  EXPECT_LT(end.seconds, 10);
  turns.Hold(false);
  turns.pair().StartAgent();
  turns.ExpectAllAnswers();
  EXPECT_EQ(turns.requests(), 4);
  turns.ExpectEachCommittedOnce();
}

}  // namespace
}  // namespace holdfast::test
