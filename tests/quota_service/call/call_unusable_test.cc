// Answers that no attempt can use: each would be paid for, so the call ends instead of trying on.
#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CallUnusable : public CallTest {
 protected:
  // Whatever is asked is answered by `script`, and the call has all the patience that it wants.
  void ExpectEndsAfter(size_t attempts, const Script& script, const std::string& cause) {
    CallRig rig;
    rig.upstream.set_otherwise([&] { return script; });
    TestCall test(rig, GetParam());
    test.Start();
    rig.loop.Advance(hours(3));
    ASSERT_TRUE(test.finished());
    ASSERT_FALSE(test.completed());
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kUnusableAnswer);
    EXPECT_THAT(test.failure().message, AllOf(HasSubstr("acme"), HasSubstr(cause)));
    EXPECT_THAT(rig.upstream.seen(), SizeIs(attempts));
    EXPECT_EQ(test.spy->outcomes[0].attempts, attempts);
    EXPECT_EQ(rig.upstream.open(), 0u);
    EXPECT_EQ(rig.State().in_flight, 0u);
  }
  Script Begun() const { return Script::Stream().Body(stream().Started()); }
};
HOLDFAST_FOR_EVERY_WIRE(CallUnusable);

TEST_P(CallUnusable, AWholeAnswerInPlaceOfAStreamEndsTheCallAtOnce) {
  ExpectEndsAfter(1, Script::Answer(200, R"({"object":"chat.completion","choices":[{"index":0}]})"),
                  "instead of text/event-stream");
}

TEST_P(CallUnusable, AStreamUnderAnotherContentTypeEndsTheCallAtOnce) {
  ExpectEndsAfter(1, Script().Headers(200, {{"content-type", "text/plain"}}).Body(stream().Answer("hello")).End(),
                  "text/plain");
}

TEST_P(CallUnusable, APageInPlaceOfAStreamEndsTheCallAfterThree) {
  const HttpHeaders html = {{"content-type", "text/html"}};
  ExpectEndsAfter(3, Script().Headers(200, html).Body("<html>Please log in</html>").End(), "text/html");
  ExpectEndsAfter(3, Script().Headers(200, html).Body("<html>").Break("reset by peer"), "text/html");
  ExpectEndsAfter(3, Script().Headers(200, html).Body("<html>"), "text/html");
  ExpectEndsAfter(3, Script().Headers(204, {}).End(), "HTTP 204");
}

TEST_P(CallUnusable, PagesThatAreNotInARowAreEachAHiccup) {
  CallRig rig;
  for (int i = 0; i < 4; ++i) {
    rig.upstream.Push(Script::Answer(200, "<html>"));
    rig.upstream.Push(Script::Answer(200, "<html>"));
    rig.upstream.Push(Script::Answer(502, "<html>"));
  }
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(minutes(15));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallUnusable, AnEventOverItsBoundEndsTheCallAtOnce) {
  ExpectEndsAfter(1, Begun().Body("data: " + std::string(17 * 1024 * 1024, 'x')), "larger than");
}

TEST_P(CallUnusable, AfterOutputEndsTheCallToo) {
  ExpectEndsAfter(1, Begun().Body(stream().Delta("hel")).Body("data: " + std::string(17 * 1024 * 1024, 'x')),
                  "larger than");
}

TEST_P(CallUnusable, ARequestThatCannotBeSentEndsTheCallAtOnceAndChargesNothing) {
  CallRig rig;
  rig.upstream.set_otherwise([] { return std::move(Script().Refuse("the upstream's URL is none")); });
  TestCall test(rig, GetParam(), {.charge = 50'000});
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kUnusableAnswer);
  EXPECT_THAT(test.failure().message, HasSubstr("the upstream's URL is none"));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  EXPECT_EQ(rig.Remaining(), 200'000);
}

// However lively the stream.
TEST_P(CallUnusable, ARunLongerThanItsBoundEndsTheCall) {
  CallRig rig;
  rig.account.run_timeout = minutes(10);
  Script endless = Begun();
  for (int i = 0; i < 100; ++i) endless.After(seconds(30)).Body(stream().Delta("x"));
  rig.upstream.Push(std::move(endless));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(minutes(10) - milliseconds(1));
  EXPECT_FALSE(test.finished());
  rig.loop.Advance(milliseconds(1));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kUnusableAnswer);
  EXPECT_THAT(test.failure().message, AllOf(HasSubstr("run_timeout"), HasSubstr("10m")));
  EXPECT_THAT(test.spy->restarts, IsEmpty()) << "what it had is kept until the end is told, which voids it";
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  EXPECT_FALSE(rig.upstream.seen()[0].open);
}

// Attempts that stall are paid for as those that run.
TEST_P(CallUnusable, AttemptsThatBreakRunNoLongerThanTheBoundInAllAndTheLastCauseIsNamed) {
  CallRig rig;
  rig.account.run_timeout = minutes(10);
  int number = 0;
  rig.upstream.set_otherwise(
      [&] { return std::move(Begun().After(seconds(55)).Break("reset number " + std::to_string(++number))); });
  TestCall test(rig, GetParam(), {.max_wait = hours(10)});
  test.Start();
  rig.loop.Advance(hours(10));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kUnusableAnswer);
  EXPECT_THAT(rig.upstream.seen(), SizeIs(11)) << "ten of 55 s each, and what was left";
  EXPECT_THAT(test.failure().message, AllOf(HasSubstr("attempts: 11"), HasSubstr("reset number 10")));
}

TEST_P(CallUnusable, TheSleepOfTheMachineIsNoRun) {
  CallRig rig;
  rig.account.run_timeout = minutes(10);
  // The next event is due after the run's bound, and both timers are overdue when the machine wakes up.
  rig.upstream.Push(Begun().After(seconds(50)).Body(stream().Delta("hel")).After(hours(8)).Body(stream().Delta("x")));
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(51));
  rig.loop.Suspend(hours(8));
  rig.loop.Advance(minutes(1));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.completed(), restarts());
  if (!restarts()) {
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kBrokenOff);
  }
}

}  // namespace
}  // namespace holdfast::quota
