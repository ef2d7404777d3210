#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

// The upstream fails without saying that a limit is the reason.
class CallRetry : public CallTest {
 protected:
  // Fails before output; the second request is answered. The caller notices nothing but a wait.
  void ExpectInvisible(Script failure, FailureClass cls) {
    CallRig rig;
    rig.upstream.Push(std::move(failure));
    rig.upstream.Push(Good());
    TestCall test(rig, GetParam());
    test.Start();
    rig.loop.Advance(hours(2));
    ASSERT_TRUE(test.completed());
    EXPECT_EQ(test.Text(), "hello");
    EXPECT_THAT(test.spy->restarts, IsEmpty());
    ASSERT_THAT(test.spy->waits, SizeIs(Gt(0u)));
    EXPECT_EQ(test.spy->waits[0].reason, WaitNotice::Reason::kBackoff);
    EXPECT_EQ(test.spy->waits[0].estimate.wait, milliseconds(250)) << "half of the first backoff's most";
    EXPECT_EQ(test.spy->waits[0].attempts, 1);
    EXPECT_FALSE(test.spy->waits[0].detail.empty());
    EXPECT_THAT(rig.upstream.seen(), SizeIs(2));
    EXPECT_THAT(rig.observer.failures, ElementsAre(cls));
    EXPECT_EQ(rig.State().in_flight, 0u);
  }
  // Fails after output.
  void ExpectVisible(Script failure) {
    CallRig rig;
    rig.upstream.Push(std::move(failure));
    rig.upstream.Push(Good("again"));
    TestCall test(rig, GetParam());
    test.Start();
    rig.loop.Advance(hours(2));
    ASSERT_TRUE(test.finished());
    if (restarts()) {
      EXPECT_THAT(test.spy->restarts, SizeIs(1));
      EXPECT_TRUE(test.completed());
      EXPECT_EQ(test.Text(), "again") << "and nothing of what is void";
    } else {
      EXPECT_THAT(test.spy->restarts, IsEmpty());
      EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
      EXPECT_EQ(test.failure().kind, CallFailure::Kind::kBrokenOff);
      EXPECT_EQ(test.Text(), "hel") << "what was passed on stays";
    }
    EXPECT_EQ(rig.State().in_flight, 0u);
  }
  Script Begun() const { return Script::Stream().Body(stream().Started()); }
  Script HalfWay() const { return Begun().After(seconds(1)).Body(stream().Delta("hel")); }
};
HOLDFAST_FOR_EVERY_WIRE(CallRetry);

TEST_P(CallRetry, ConnectionRefusedIsInvisible) {
  ExpectInvisible(Script().Break("connection refused"), FailureClass::kTransport);
}
TEST_P(CallRetry, SilenceBeforeTheHeadersIsInvisible) { ExpectInvisible(Script(), FailureClass::kTransport); }
TEST_P(CallRetry, AnInternalErrorIsInvisible) {
  ExpectInvisible(Script::Answer(500, "oops"), FailureClass::kOverloaded);
}
TEST_P(CallRetry, OverloadIsInvisible) { ExpectInvisible(Script::Answer(503, ""), FailureClass::kOverloaded); }
TEST_P(CallRetry, AnAnswerThatIsNoStreamIsInvisible) {
  ExpectInvisible(Script::Answer(200, "<html>maintenance</html>"), FailureClass::kNoStream);
}
TEST_P(CallRetry, ACutBeforeOutputIsInvisible) {
  ExpectInvisible(Begun().Break("reset by peer"), FailureClass::kTransport);
}
TEST_P(CallRetry, AStallBeforeOutputIsInvisible) { ExpectInvisible(Begun(), FailureClass::kTransport); }
TEST_P(CallRetry, GarbageBeforeOutputIsInvisible) {
  ExpectInvisible(Begun().Body("data: {]\n\n"), FailureClass::kTransport);
}
TEST_P(CallRetry, ACleanEndBeforeOutputIsInvisible) { ExpectInvisible(Begun().End(), FailureClass::kTransport); }
TEST_P(CallRetry, AnEmptyStreamIsInvisible) { ExpectInvisible(Script::Stream().End(), FailureClass::kTransport); }
TEST_P(CallRetry, AFailureInsideTheStreamBeforeOutputIsInvisible) {
  ExpectInvisible(Begun().Body(stream().Failed("server_error", "oops")), FailureClass::kOverloaded);
}

TEST_P(CallRetry, ACutAfterOutputRestartsOrBreaksOff) { ExpectVisible(HalfWay().Break("reset by peer")); }
TEST_P(CallRetry, AStallAfterOutputRestartsOrBreaksOff) { ExpectVisible(HalfWay()); }
TEST_P(CallRetry, GarbageAfterOutputRestartsOrBreaksOff) { ExpectVisible(HalfWay().Body("data: {]\n\n")); }
TEST_P(CallRetry, ACleanEndAfterOutputRestartsOrBreaksOff) { ExpectVisible(HalfWay().End()); }
TEST_P(CallRetry, AFailureInsideTheStreamAfterOutputRestartsOrBreaksOff) {
  ExpectVisible(HalfWay().Body(stream().Failed("server_error", "oops")));
}
TEST_P(CallRetry, ARefusalInsideTheStreamAfterOutputRestartsOrBreaksOff) {
  ExpectVisible(HalfWay().Body(stream().Error("rate_limit_exceeded", "Please try again in 2s.")));
}

TEST_P(CallRetry, WhatComesAfterTheEndOfTheAnswerIsIgnored) {
  CallRig rig;
  rig.upstream.Push(
      Script::Stream().Body(stream().Answer("hello") + stream().Delta("more") + "data: {]\n\n").Body("x"));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(minutes(10));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hello");
}

TEST_P(CallRetry, CommentsDoNotCountAsLife) {
  CallRig rig;
  Script commenting = Begun();
  for (int i = 0; i < 20; ++i) commenting.After(seconds(10)).Body(StreamText::Comment());
  rig.upstream.Push(std::move(commenting));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(milliseconds(59'900));
  EXPECT_THAT(rig.observer.failures, IsEmpty());
  rig.loop.Advance(seconds(1));
  EXPECT_THAT(rig.observer.failures, ElementsAre(FailureClass::kTransport));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallRetry, EachEventGivesTheUpstreamTimeForTheNext) {
  CallRig rig;
  Script slow = Begun();
  for (int i = 0; i < 10; ++i) slow.After(seconds(59)).Body(stream().Delta("x"));
  slow.After(seconds(59)).Body(stream().Finish("xxxxxxxxxx"));
  rig.upstream.Push(std::move(slow));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(minutes(15));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "xxxxxxxxxx");
}

TEST_P(CallRetry, AnEventThatTricklesInNeverIsLife) {
  CallRig rig;
  Script trickle = Begun().Body("data: ");
  for (int i = 0; i < 100; ++i) trickle.After(seconds(1)).Body("x");
  rig.upstream.Push(std::move(trickle));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(62));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallRetry, PausesGrowAndStayWithinTheCap) {
  CallRig rig;
  rig.upstream.set_otherwise([] { return std::move(Script().Headers(503, {}).End()); });
  TestCall test(rig, GetParam(), {.charge = 0, .max_wait = minutes(5)});
  test.Start();
  rig.loop.Advance(minutes(10));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().message, HasSubstr("503"));
  std::vector<Duration> pauses;
  for (size_t i = 1; i < rig.upstream.seen().size(); ++i)
    pauses.push_back(rig.upstream.seen()[i].at - rig.upstream.seen()[i - 1].at);
  ASSERT_THAT(pauses, SizeIs(Gt(8u)));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(pauses[i], milliseconds(250) * (1 << i));
  EXPECT_THAT(pauses, Each(Le(seconds(30))));
}

// A pause longer than what is left of the allowance is cut to it, so that no patience is thrown away.
TEST_P(CallRetry, TriesOnceMoreWhenItsPatienceEnds) {
  CallRig rig;
  rig.upstream.set_otherwise([] { return std::move(Script().Headers(503, {}).End()); });
  rig.chance = [] { return 0.999; };
  TestCall test(rig, GetParam(), {.charge = 0, .max_wait = seconds(20)});
  test.Start();
  rig.loop.Advance(seconds(19));
  rig.upstream.set_otherwise([this] { return Good(); });
  const size_t before = rig.upstream.seen().size();
  rig.loop.Advance(seconds(2));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(before + 1));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(test.spy->outcomes.at(0).waited, seconds(20));
}

// Retry-after of an overload may be longer than a grant lives.
TEST_P(CallRetry, KeepsItsPlaceThroughALongPause) {
  CallRig rig({.concurrent = 1});
  rig.upstream.Push(Script::Answer(503, "", {{"retry-after", "200"}}));
  rig.upstream.set_otherwise([this] { return Good(); });
  std::vector<std::string> order;
  TestCall first(rig, GetParam(), {.call_id = "first"});
  TestCall second(rig, GetParam(), {.call_id = "second"});
  first.spy->on_admitted = [&] { order.push_back("first"); };
  second.spy->on_admitted = [&] { order.push_back("second"); };
  first.Start();
  rig.loop.Advance(seconds(1));
  second.Start();
  rig.loop.Advance(seconds(198));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1)) << "never sooner than it asked";
  rig.loop.Advance(seconds(110));
  EXPECT_TRUE(first.completed());
  EXPECT_TRUE(second.completed());
  EXPECT_THAT(order, ElementsAre("first", "first", "second"));
}

TEST_P(CallRetry, RetriesOfAllCallsStayWithinTheBudget) {
  CallRig rig({.tokens_per_minute = 0});
  rig.Learn(1'000'000, 1'000'000);
  // One of three is answered, so that the breaker stays closed.
  int requests = 0;
  rig.upstream.set_otherwise(
      [&] { return ++requests % 3 == 0 ? Good() : Script().After(milliseconds(20)).Headers(503, {}).End(); });
  std::mt19937_64 generator(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  rig.chance = [&] { return uniform(generator); };
  const BootTime start = rig.loop.Now();
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(std::make_unique<TestCall>(
        rig, GetParam(), TestCall::Ask{.call_id = std::to_string(i), .charge = 0, .max_wait = minutes(5)}));
    calls.back()->Start();
  }
  rig.loop.Advance(minutes(2));
  // 100 requests in the first moment earn 20 retries; each window of 10 s has a floor of 10, with the edges of slots.
  std::vector<BootTime> retries;
  for (size_t i = 101; i < rig.upstream.seen().size(); ++i) retries.push_back(rig.upstream.seen()[i].at);
  for (BootTime begin = start; begin < start + minutes(2); begin += seconds(1)) {
    const auto within = std::count_if(retries.begin(), retries.end(),
                                      [&](BootTime at) { return at >= begin && at < begin + seconds(10); });
    EXPECT_LE(within, begin < start + seconds(11) ? 42 : 22) << "window at " << ToSeconds(begin - start);
  }
  EXPECT_GE(retries.size(), 60u) << "and the budget is used";
  for (const auto& call : calls) call->call->Cancel("over");
}

TEST_P(CallRetry, AnUpstreamThatFailsSpendsNoOthersBudget) {
  CallRig rig({.tokens_per_minute = 0});
  rig.Learn(1'000'000, 1'000'000);
  rig.upstream.set_otherwise([] { return std::move(Script().Headers(503, {}).End()); });
  std::vector<std::unique_ptr<TestCall>> failing;
  for (int i = 0; i < 100; ++i) {
    failing.push_back(
        std::make_unique<TestCall>(rig, GetParam(), TestCall::Ask{.call_id = std::to_string(i), .charge = 0}));
    failing.back()->Start();
  }
  rig.loop.Advance(seconds(5));
  rig.upstream.set_otherwise([this] { return Good(); });
  for (const auto& call : failing) call->call->Cancel("over");

  rig.account.name = "another";
  rig.upstream.Push(Script::Answer(503, ""));
  TestCall other(rig, GetParam(), {.call_id = "other", .charge = 0});
  other.Start();
  rig.loop.Advance(seconds(1));
  EXPECT_TRUE(other.completed()) << "its first retry";
}

TEST_P(CallRetry, ConnectionRefusedGivesTheTokensBack) {
  CallRig rig;
  rig.upstream.Push(Script().Break("connection refused"));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(1));
  EXPECT_TRUE(test.completed()) << "no wait for tokens that nobody took";
}

// The gate charges on arrival.
TEST_P(CallRetry, AConnectionLostAfterTheRequestHadGoneOutStaysCharged) {
  CallRig rig;
  rig.upstream.Push(Script().Sent().Break("reset by peer"));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(29));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  rig.loop.Advance(seconds(2));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallRetry, WhatWasAnsweredStaysCharged) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(500, ""));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(29));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  rig.loop.Advance(seconds(2));
  EXPECT_TRUE(test.completed());
}

// Nobody knows whether a request that was sent and never answered was counted, so it was.
TEST_P(CallRetry, WhatWasNotAnsweredInTimeStaysCharged) {
  CallRig rig;
  rig.account.stall_timeout = seconds(1);
  rig.upstream.Push(Script());
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(29));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  rig.loop.Advance(seconds(2));
  EXPECT_TRUE(test.completed());
}

// Tokens that were made are paid for, whoever got them.
TEST_P(CallRetry, WhatAFailedAttemptUsedIsTold) {
  if (GetParam() == Wire::kRawResponses) GTEST_SKIP() << "its tap reads no usage";
  CallRig rig;
  const std::string used =
      GetParam() == Wire::kTypedChat
          ? "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":5}}\n\n" +
                stream().Error("x", "y")
          : "data: "
            "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\"},"
            "\"usage\":{\"input_tokens\":70,\"output_tokens\":5}}}\n\n";
  rig.upstream.Push(Begun().Body(stream().Delta("hel") + used));
  rig.upstream.Push(Begun().Break("reset by peer"));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(minutes(1));
  ASSERT_TRUE(test.completed());
  ASSERT_THAT(rig.observer.wasted, SizeIs(1));
  EXPECT_EQ(rig.observer.wasted[0].input, 70);
  EXPECT_EQ(rig.observer.wasted[0].output, 5);
  EXPECT_EQ(test.spy->outcomes[0].usage->input, 120) << "of the answer that stands, alone";
}

TEST_P(CallRetry, AnErrorBodyThatNeverEndsStillSaysWhatItSaid) {
  CallRig rig;
  rig.upstream.Push(Script().Headers(400, {}).Body(R"({"error":{"code":"invalid_value","message":"Unknown field."}})"));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(61));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kInvalidRequest);
  EXPECT_THAT(test.failure().message, HasSubstr("Unknown field."));
}

}  // namespace
}  // namespace holdfast::quota
