#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

class CallLifetime : public CallTest {
 protected:
  // Cancelled, told so once, and nothing of it is left anywhere.
  static void ExpectCancelled(CallRig& rig, const TestCall& test) {
    ASSERT_THAT(test.spy->outcomes, SizeIs(1));
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kCancelled);
    EXPECT_EQ(test.failure().message, "enough");
    const size_t requests = rig.upstream.seen().size();
    EXPECT_EQ(rig.upstream.open(), 0u);
    EXPECT_EQ(rig.State().queued, 0u);
    EXPECT_EQ(rig.State().in_flight, 0u);
    rig.loop.Advance(hours(1));
    EXPECT_THAT(test.spy->outcomes, SizeIs(1));
    EXPECT_THAT(rig.upstream.seen(), SizeIs(requests)) << "nothing is sent any more";
    EXPECT_EQ(rig.loop.armed_timers(), 0u);
  }
};
HOLDFAST_FOR_EVERY_WIRE(CallLifetime);

TEST_P(CallLifetime, CancelledInTheQueueLeavesIt) {
  CallRig rig;
  rig.Learn(200'000, 0);
  TestCall test(rig, GetParam(), {.charge = 100'000});
  test.Start();
  rig.loop.Advance(seconds(5));
  EXPECT_EQ(rig.State().queued, 1u);
  test.call->Cancel("enough");
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, CancelledWhileBackingOffKeepsTheChargeOfWhatWasAnswered) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(503, "", {{"retry-after", "30"}}));
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(3));
  test.call->Cancel("enough");
  EXPECT_EQ(rig.Remaining(), 60'000) << "50,000, and what refilled in 3 s";
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, CancelledWhileBackingOffGivesBackWhatWasNeverSent) {
  CallRig rig;
  rig.upstream.Push(Script().Break("connection refused"));
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(milliseconds(100));
  test.call->Cancel("enough");
  EXPECT_EQ(rig.Remaining(), 200'000);
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, CancelledWhileSendingClosesTheConnectionAndKeepsTheCharge) {
  CallRig rig;
  rig.upstream.Push(Script::Stream().Body(stream().Started()).Body(stream().Delta("hel")));
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.Start();
  rig.loop.Advance(seconds(3));
  EXPECT_EQ(rig.upstream.open(), 1u);
  test.call->Cancel("enough");
  EXPECT_EQ(rig.upstream.open(), 0u) << "at once";
  EXPECT_EQ(rig.Remaining(), 60'000);
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, CancelledTwiceOrAfterItsEndStaysAsItIs) {
  CallRig rig;
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(0));
  test.call->Cancel("enough");
  test.call->Cancel("enough");
  ASSERT_THAT(test.spy->outcomes, SizeIs(1));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallLifetime, MayBeCancelledWhenToldToWait) {
  CallRig rig;
  rig.Learn(200'000, 0);
  TestCall test(rig, GetParam(), {.charge = 100'000});
  test.spy->on_waiting = [&] { test.call->Cancel("enough"); };
  test.Start();
  rig.loop.Advance(seconds(0));
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, MayBeCancelledWhenToldOfABackoff) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(503, ""));
  TestCall test(rig, GetParam());
  test.spy->on_waiting = [&] { test.call->Cancel("enough"); };
  test.Start();
  rig.loop.Advance(seconds(0));
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, MayBeCancelledWhenAdmittedAndIsThenNotSent) {
  CallRig rig;
  TestCall test(rig, GetParam(), {.charge = 150'000});
  test.spy->on_admitted = [&] { test.call->Cancel("enough"); };
  test.Start();
  rig.loop.Advance(seconds(0));
  EXPECT_THAT(rig.upstream.seen(), IsEmpty());
  EXPECT_EQ(rig.Remaining(), 200'000) << "nothing was sent";
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, MayBeCancelledWhenToldOfARestart) {
  if (!restarts()) GTEST_SKIP() << "is never told";
  for (const std::string& end : {stream().Error("server_error", "oops"), stream().Error("rate_limit_exceeded", "")}) {
    CallRig rig;
    rig.upstream.Push(Script::Stream().Body(stream().Started() + stream().Delta("hel") + end));
    TestCall test(rig, GetParam());
    test.spy->on_restarted = [&] { test.call->Cancel("enough"); };
    test.Start();
    rig.loop.Advance(seconds(0));
    ExpectCancelled(rig, test);
  }
}

TEST_P(CallLifetime, MayBeCancelledWhileAnEventIsPassedOn) {
  CallRig rig;
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.spy->on_event = [&] { test.call->Cancel("enough"); };
  test.Start();
  rig.loop.Advance(seconds(0));
  ExpectCancelled(rig, test);
}

TEST_P(CallLifetime, MayBeDestroyedWhenItHasFinishedHoweverItEnded) {
  const auto run = [&](Script script, TestCall::Ask ask) {
    CallRig rig;
    rig.Learn(200'000, 100'000);
    rig.upstream.Push(std::move(script));
    TestCall test(rig, GetParam(), ask);
    test.spy->on_finished = [&] { test.call.reset(); };
    test.Start();
    rig.loop.Advance(hours(1));
    EXPECT_THAT(test.spy->outcomes, SizeIs(1));
    EXPECT_EQ(rig.upstream.open(), 0u);
    EXPECT_EQ(rig.State().in_flight, 0u);
  };
  run(Good(), {});
  run(Script::Stream().Body(stream().Answer("hello")), {});
  run(Script::Answer(400, ""), {});
  run(Script::Stream().Body(stream().Failed("insufficient_quota", "")), {});
  run(Script::Stream().Body(stream().Started() + stream().Failed("insufficient_quota", "") + "x"), {});
  run(Script::Answer(503, "", {{"retry-after", "100"}}), {.max_wait = seconds(1)});
  run(Script::Answer(429, "", {{"retry-after", "100"}}), {.max_wait = seconds(1)});
  run(Script(), {.max_wait = seconds(0)});
  run(Script(), {.charge = 150'000, .max_wait = seconds(1)});
  run(Script(), {.charge = 1'000'000});
}

TEST_P(CallLifetime, DestroyedWhileSendingLeavesNothingBehind) {
  CallRig rig;
  rig.upstream.Push(Script::Stream());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(1));
  test.call.reset();
  EXPECT_EQ(rig.upstream.open(), 0u);
  EXPECT_EQ(rig.State().in_flight, 0u);
  rig.loop.Advance(seconds(10));
  EXPECT_EQ(rig.loop.armed_timers(), 0u);
}

TEST_P(CallLifetime, GivesTheConnectionTwoSecondsToEndItsAnswer) {
  CallRig rig;
  rig.upstream.Push(Script::Stream().Body(stream().Answer("hello")));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(milliseconds(1'999));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(rig.upstream.open(), 1u);
  EXPECT_EQ(rig.State().in_flight, 0u) << "the limit has its slot back at once";
  rig.loop.Advance(milliseconds(1));
  EXPECT_EQ(rig.upstream.open(), 0u);
}

// A completed call is kept for hours, and what only its running needed is not.
TEST_P(CallLifetime, LetsGoOfTheTapWhenTheAnswerIsComplete) {
  CallRig rig;
  rig.upstream.Push(Script::Stream().Body(stream().Started()).After(seconds(1)).Body(stream().Finish("hello")));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(milliseconds(999));
  EXPECT_EQ(test.spy->taps, 1);
  rig.loop.Advance(milliseconds(1));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(test.spy->taps, 0);
}

TEST_P(CallLifetime, LetsGoOfAConnectionThatHasEndedItsAnswer) {
  CallRig rig;
  rig.upstream.Push(Script::Stream().Body(stream().Answer("hello")).After(milliseconds(500)).End());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(milliseconds(499));
  EXPECT_EQ(rig.upstream.open(), 1u);
  rig.loop.Advance(milliseconds(1));
  EXPECT_EQ(rig.upstream.open(), 0u);
  EXPECT_TRUE(test.completed());
}

TEST_P(CallLifetime, KeepsItsSlotForAsLongAsItRuns) {
  CallRig rig({.concurrent = 1});
  rig.Learn(200'000, 200'000);
  Script hour = Script::Stream().Body(stream().Started());
  for (int i = 0; i < 118; ++i) hour.After(seconds(30)).Body(stream().Delta("x"));
  hour.Body(stream().Finish(std::string(118, 'x')));
  rig.upstream.Push(std::move(hour));
  rig.upstream.Push(Good());
  TestCall running(rig, GetParam(), {.call_id = "running"});
  TestCall waiting(rig, GetParam(), {.call_id = "waiting", .max_wait = hours(2)});
  running.Start();
  rig.loop.Advance(seconds(1));
  waiting.Start();
  rig.loop.Advance(minutes(58));
  EXPECT_FALSE(waiting.finished());
  EXPECT_THAT(rig.upstream.seen(), SizeIs(2)) << "the teacher's and the running one's";
  rig.loop.Advance(minutes(2));
  EXPECT_TRUE(running.completed());
  EXPECT_TRUE(waiting.completed());
}

// A laptop that slept: the grant has expired, the connection is dead, the call goes on.
TEST_P(CallLifetime, GoesOnAfterTheMachineSlept) {
  for (const char* end : {"reset by peer", ""}) {
    CallRig rig;
    Script until_sleep = Script::Stream().Body(stream().Started()).After(hours(8));
    if (*end != '\0') until_sleep.Break(end);
    rig.upstream.Push(std::move(until_sleep));
    rig.upstream.Push(Good());
    TestCall test(rig, GetParam());
    test.Start();
    rig.loop.Advance(seconds(7));
    rig.loop.Suspend(hours(8));
    rig.loop.Advance(minutes(1));
    EXPECT_TRUE(test.completed());
    EXPECT_EQ(rig.State().in_flight, 0u);
  }
}

TEST_P(CallLifetime, WaitsAgainWhenItIsRefusedAfterTheMachineSlept) {
  CallRig rig;
  rig.upstream.Push(Script::Stream()
                        .Body(stream().Started())
                        .After(hours(8))
                        .Body(stream().Error("rate_limit_exceeded", "Please try again in 2s.")));
  rig.upstream.Push(Good());
  rig.account.stall_timeout = hours(24);
  rig.account.run_timeout = hours(24);
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(7));
  rig.loop.Suspend(hours(8));
  rig.loop.Advance(minutes(1));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallLifetime, GoesOnAfterTheMachineSleptInABackoff) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(503, "", {{"retry-after", "30"}}));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.max_wait = hours(24)});
  test.Start();
  rig.loop.Advance(seconds(7));
  rig.loop.Suspend(hours(8));
  rig.loop.Advance(minutes(1));
  EXPECT_TRUE(test.completed());
}

}  // namespace
}  // namespace holdfast::quota
