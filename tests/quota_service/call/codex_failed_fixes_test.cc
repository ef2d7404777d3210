// A coding agent's repair of the incident took five steps, and each of them failed in its own way: a wait of fixed
// length, a pattern that missed the server's text, a refusal in the stream that still ended the session, a retry that
// dropped the turn's input, and patience that was counted in attempts. One test, or more, for each.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

constexpr char kIncident[] =
    "Rate limit reached for o4-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 160193, "
    "Requested 51963. Please try again in 3.646s.";

class CodexFailedFixes : public CallTest {
 protected:
  static std::string Refusal(const std::string& words) {
    return fmt::format(R"({{"error":{{"type":"tokens","code":"rate_limit_exceeded","message":"{}"}}}})", words);
  }
  Script Begun() const { return Script::Stream().Body(stream().Started()); }

  // The pause between the refusal and the second request, which is answered.
  Duration PauseAfter(Script refusal, int64_t charge = 51'963) {
    CallRig rig;
    rig.upstream.Push(std::move(refusal));
    rig.upstream.Push(Good());
    TestCall test(rig, GetParam(), {.charge = charge, .max_wait = hours(3)});
    test.Start();
    rig.loop.Advance(hours(3));
    EXPECT_TRUE(test.completed());
    EXPECT_EQ(test.Text(), "hello");
    const auto& seen = rig.upstream.seen();
    if (seen.size() != 2) {
      ADD_FAILURE() << seen.size() << " requests";
      return {};
    }
    return seen[1].at - seen[0].closed;
  }
  // Until the call ends, for at most a day.
  static void RunOut(CallRig& rig, const TestCall& test) {
    const BootTime end = rig.loop.Now() + hours(24);
    while (!test.finished() && rig.loop.Now() < end && rig.loop.AdvanceToNextTimer()) {
    }
  }
};
HOLDFAST_FOR_EVERY_WIRE(CodexFailedFixes);

// Step 1: 15 s, whatever the server said.
TEST_P(CodexFailedFixes, Step1TheWaitIsWhatTheServerSaysAndNotFixed) {
  const Duration incident = PauseAfter(Script::Answer(429, Refusal(kIncident)));
  EXPECT_GE(incident, milliseconds(3'646));
  EXPECT_LT(incident, milliseconds(3'650));
  const Duration shorter = PauseAfter(
      Script::Answer(429,
                     Refusal("Limit 30000, Used 4828, Requested 25212. Please try again in 80ms. (tokens per min)")),
      25'212);
  EXPECT_GE(shorter, milliseconds(80));
  EXPECT_LT(shorter, milliseconds(100));
  const Duration longer = PauseAfter(Script::Answer(429, Refusal("Please try again in 6m0s.")));
  EXPECT_GE(longer, minutes(6));
  EXPECT_LT(longer, minutes(6) + seconds(1));
}

// Step 2: the pattern never matched what the server sent.
TEST_P(CodexFailedFixes, Step2EveryFormOfTheDelayIsUnderstood) {
  struct Form {
    HttpHeaders headers;
    std::string body;
    Duration delay;
  };
  const std::string date = "Sat, 10 Jan 2026 03:26:55 GMT";
  const Form forms[] = {
      {{{"retry-after", "17"}}, "", seconds(17)},
      {{{"retry-after", "Sat, 10 Jan 2026 03:27:12 GMT"}, {"date", date}}, "", seconds(17)},
      {{{"retry-after", "2026-01-10T03:27:12Z"}, {"date", date}}, "", seconds(17)},
      {{{"retry-after-ms", "1500"}}, "", milliseconds(1'500)},
      {{}, Refusal("Please try again in 6m0s."), minutes(6)},
      {{}, Refusal("Please try again in 1m12s."), seconds(72)},
      {{}, Refusal("Please try again in 1h2m3s."), seconds(3'723)},
      {{}, Refusal("Please try again in 3.646s."), milliseconds(3'646)},
      {{}, Refusal("Please try again in 80ms."), milliseconds(80)},
      {{}, Refusal("Please retry after 45 seconds."), seconds(45)},
      {{}, Refusal("please try again after 1 seconds"), seconds(1)},
      {{}, Refusal("Try again in 2 minutes."), minutes(2)},
      {{}, Refusal("Your limit resets at 2026-01-10T03:27:12Z."), seconds(17)},
      {{}, R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"38s"}]}})", seconds(38)},
      {{},
       R"([{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"45.837906927s"}]}}])",
       nanoseconds(45'837'906'927)},
  };
  for (const Form& form : forms) {
    SCOPED_TRACE(form.body + (form.headers.empty() ? "" : form.headers[0].second));
    HttpHeaders headers = form.headers;
    if (headers.empty()) headers = {{"date", date}};
    const Duration pause = PauseAfter(Script::Answer(429, form.body, headers));
    EXPECT_GE(pause, form.delay);
    EXPECT_LT(pause, form.delay + seconds(1));
  }
}

TEST_P(CodexFailedFixes, Step2EveryFormOfTheDelayIsUnderstoodInsideAStream) {
  const std::pair<const char*, Duration> forms[] = {
      {"Please try again in 6m0s.", minutes(6)},       {"Please try again in 1m12s.", seconds(72)},
      {"Please try again in 1h2m3s.", seconds(3'723)}, {"Please try again in 3.646s.", milliseconds(3'646)},
      {"Please try again in 80ms.", milliseconds(80)}, {"Please retry after 45 seconds.", seconds(45)},
      {"Please try again in 2 minutes.", minutes(2)},
  };
  for (const auto& [words, delay] : forms) {
    for (const std::string& event :
         {stream().Failed("rate_limit_exceeded", words), stream().Error("rate_limit_exceeded", words)}) {
      SCOPED_TRACE(event);
      const Duration pause = PauseAfter(Begun().Body(event));
      EXPECT_GE(pause, delay);
      EXPECT_LT(pause, delay + seconds(1));
    }
  }
}

// Step 3: with the stream begun, a 429 was an error like any other, and the session ended.
TEST_P(CodexFailedFixes, Step3ARefusalAfterTheStreamBeganIsAWait) {
  for (const std::string& event :
       {stream().Failed("rate_limit_exceeded", kIncident), stream().Error("rate_limit_exceeded", kIncident)}) {
    SCOPED_TRACE(event);
    const Duration pause = PauseAfter(Begun().After(seconds(4)).Body(event));
    EXPECT_GE(pause, milliseconds(3'646));
    EXPECT_LT(pause, milliseconds(3'650));
  }
}

TEST_P(CodexFailedFixes, Step3ARefusalAfterOutputBeginsTheAnswerAgain) {
  if (!restarts()) GTEST_SKIP() << "cannot be told to begin again";
  for (const std::string& event :
       {stream().Failed("rate_limit_exceeded", kIncident), stream().Error("rate_limit_exceeded", kIncident)}) {
    SCOPED_TRACE(event);
    CallRig rig;
    rig.upstream.Push(Begun().Body(stream().Delta("hel")).After(seconds(1)).Body(event));
    rig.upstream.Push(Good("whole"));
    TestCall test(rig, GetParam(), {.charge = 51'963});
    test.Start();
    rig.loop.Advance(minutes(1));
    ASSERT_TRUE(test.completed());
    EXPECT_EQ(test.Text(), "whole");
    EXPECT_THAT(test.spy->restarts, SizeIs(1));
    ASSERT_THAT(rig.upstream.seen(), SizeIs(2));
    EXPECT_GE(rig.upstream.seen()[1].at - rig.upstream.seen()[0].closed, milliseconds(3'646));
  }
}

// Step 4: "No tool output found for function call".
TEST_P(CodexFailedFixes, Step4ARetryRepeatsTheWholeInputToolOutputsIncluded) {
  if (GetParam() == Wire::kRawResponses) GTEST_SKIP() << "passes on what it was given";
  v1::GenerateRequest request = MakeRequest();
  v1::ToolCall* call = request.add_items()->mutable_tool_call();
  call->set_id("fc_1");
  call->set_call_id("call_1");
  call->set_name("shell");
  call->set_arguments(R"({"command":"make test"})");
  v1::ToolResult* result = request.add_items()->mutable_tool_result();
  result->set_call_id("call_1");
  result->set_output("all 1742 tests passed");
  request.add_tools()->set_name("shell");

  CallRig rig;
  rig.upstream.Push(Script::Answer(429, Refusal(kIncident)));
  rig.upstream.Push(Begun().Body(stream().Failed("rate_limit_exceeded", kIncident)));
  rig.upstream.Push(Begun().Body(stream().Delta("hel")).Body(stream().Error("rate_limit_exceeded", kIncident)));
  rig.upstream.Push(Script::Answer(503, ""));
  rig.upstream.Push(Begun().Body(stream().Delta("hel")).Break("reset by peer"));
  rig.upstream.Push(Script().Break("connection refused"));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.charge = 51'963, .request = request});
  test.Start();
  rig.loop.Advance(minutes(15));
  ASSERT_TRUE(test.completed());
  ASSERT_THAT(rig.upstream.seen(), SizeIs(7));
  const UpstreamRequest& first = rig.upstream.seen()[0].request;
  EXPECT_THAT(first.body, HasSubstr("all 1742 tests passed"));
  EXPECT_THAT(first.body, HasSubstr("make test"));
  for (const FakeUpstream::Seen& seen : rig.upstream.seen()) {
    EXPECT_EQ(seen.request.body, first.body) << "byte for byte";
    EXPECT_EQ(seen.request.url, first.url);
    EXPECT_EQ(seen.request.headers, first.headers);
  }
}

// Step 5: patience that is counted in attempts ends in the fifth, "5/5 in 3.32s", while the server says 17 s.
TEST_P(CodexFailedFixes, Step5TwoHundredRefusalsWithinMaxWaitStillSucceed) {
  CallRig rig;
  for (int i = 0; i < 200; ++i) rig.upstream.Push(Script::Answer(429, "", {{"retry-after", "3"}}));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.max_wait = hours(2)});
  test.Start();
  RunOut(rig, test);
  ASSERT_TRUE(test.completed()) << test.failure().message;
  EXPECT_EQ(test.spy->outcomes[0].attempts, 201);
  EXPECT_LE(test.spy->outcomes[0].waited, hours(2));
  EXPECT_GE(test.spy->outcomes[0].waited, seconds(600));
}

TEST_P(CodexFailedFixes, Step5TwoHundredOverloadsAndBrokenConnectionsDoSo) {
  for (const Script& fault : {Script::Answer(503, ""), Begun().Break("reset by peer"), Begun().End()}) {
    CallRig rig;
    for (int i = 0; i < 200; ++i) rig.upstream.Push(fault);
    rig.upstream.Push(Good());
    TestCall test(rig, GetParam(), {.charge = 0, .max_wait = hours(2)});
    test.Start();
    RunOut(rig, test);
    ASSERT_TRUE(test.completed()) << test.failure().message;
    EXPECT_EQ(test.spy->outcomes[0].attempts, 201);
  }
}

TEST_P(CodexFailedFixes, Step5PatienceEndsAtMaxWaitAndNamesTheLastCause) {
  struct Fault {
    Script script;
    const char* cause;
  };
  const Fault faults[] = {
      {Script::Answer(429, Refusal("Please try again in 17s.")), "Please try again in 17s."},
      {Script::Answer(429, "", {{"retry-after", "3"}}), "HTTP 429"},
      {Begun().Body(stream().Error("rate_limit_exceeded", "Please try again in 7s.")), "Please try again in 7s."},
      {Script::Answer(503, "the backend is away"), "the backend is away"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.cause);
    CallRig rig;
    rig.upstream.set_otherwise([&] { return fault.script; });
    TestCall test(rig, GetParam(), {.charge = 0, .max_wait = minutes(10)});
    const BootTime begin = rig.loop.Now();
    test.Start();
    RunOut(rig, test);
    ASSERT_TRUE(test.finished());
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
    EXPECT_TRUE(test.failure().retry_after.has_value());
    EXPECT_THAT(test.failure().message, HasSubstr(fault.cause));
    const Duration took = rig.loop.Now() - begin;
    EXPECT_LE(took, minutes(10) + seconds(1));
    // It stops early only where what it is told to wait does not fit into what is left.
    EXPECT_GE(took, minutes(9) + seconds(20));
    EXPECT_GT(test.spy->outcomes[0].attempts, 10);
  }
}

}  // namespace
}  // namespace holdfast::quota
