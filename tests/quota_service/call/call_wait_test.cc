#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class CallWait : public CallTest {};
HOLDFAST_FOR_EVERY_WIRE(CallWait);

TEST_P(CallWait, SendsAtOnceWhatFits) {
  CallRig rig;
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hello");
  EXPECT_THAT(test.spy->waits, IsEmpty());
  ASSERT_THAT(test.spy->admissions, SizeIs(1));
  EXPECT_EQ(test.spy->admissions[0].attempt, 1);
  EXPECT_EQ(test.spy->admissions[0].waited, Duration::zero());
  EXPECT_EQ(test.spy->outcomes[0].attempts, 1);
  if (test.typed) {
    ASSERT_TRUE(test.spy->outcomes[0].usage);
    EXPECT_EQ(test.spy->outcomes[0].usage->input, 120);
  }
}

TEST_P(CallWait, SendsTheBodyToTheAccountsUrlWithItsKey) {
  CallRig rig;
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_THAT(rig.upstream.seen(), SizeIs(1));
  const UpstreamRequest& request = rig.upstream.seen()[0].request;
  EXPECT_EQ(request.url, GetParam() == Wire::kTypedChat ? "https://acme.test/v1/chat/completions"
                                                        : "https://acme.test/v1/responses");
  EXPECT_THAT(request.headers,
              UnorderedElementsAre(Pair("content-type", "application/json"), Pair("accept", "text/event-stream"),
                                   Pair("authorization", "Bearer key-of-acme"), Pair("x-holdfast-hop", "1")));
  EXPECT_THAT(request.body, HasSubstr("Say hello."));
}

TEST_P(CallWait, MaxWaitDoesNotBoundTheRunningCall) {
  CallRig rig;
  rig.upstream.Push(Script::Stream()
                        .Body(stream().Started())
                        .After(seconds(50))
                        .Body(stream().Delta("hello"))
                        .After(seconds(50))
                        .Body(stream().Finish("hello")));
  TestCall test(rig, GetParam(), {.max_wait = seconds(1)});
  test.Start();
  rig.loop.Advance(seconds(100));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallWait, FailsAtOnceWhereTheForecastIsLongerThanMaxWait) {
  CallRig rig;
  rig.Learn(200'000, 0);
  TestCall test(rig, GetParam(), {.charge = 100'000, .max_wait = seconds(29)});
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().retry_after, Optional(Duration(seconds(30))));
  ASSERT_TRUE(test.failure().wait);
  EXPECT_EQ(test.failure().wait->limit, 200'000);
  EXPECT_EQ(test.failure().wait->used, 200'000);
  EXPECT_EQ(test.failure().wait->requested, 100'000);
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1)) << "the teacher's alone";
  EXPECT_EQ(rig.State().queued, 0u);
}

TEST_P(CallWait, WithMaxWaitZeroSendsWhatFitsNow) {
  CallRig rig;
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), {.max_wait = seconds(0)});
  test.Start();
  rig.loop.Advance(seconds(0));
  EXPECT_TRUE(test.completed());
}

TEST_P(CallWait, WithMaxWaitZeroFailsAtOnceAndSaysWhenItWouldFit) {
  CallRig rig;
  rig.Learn(200'000, 0);
  TestCall test(rig, GetParam(), {.charge = 100'000, .max_wait = seconds(0)});
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().retry_after, Optional(Duration(seconds(30))));
}

// The queue is played forward at most every 250 ms; who may not wait that long still gets its answer.
TEST_P(CallWait, WithMaxWaitZeroSaysWhenItWouldFitAlsoJustAfterAnotherWasTold) {
  CallRig rig;
  rig.Learn(200'000, 0);
  TestCall first(rig, GetParam(), {.call_id = "first", .charge = 100'000});
  first.Start();
  rig.loop.Advance(milliseconds(30));
  TestCall second(rig, GetParam(), {.call_id = "second", .charge = 50'000, .max_wait = seconds(0)});
  second.Start();
  rig.loop.Advance(milliseconds(250));
  ASSERT_TRUE(second.finished());
  EXPECT_EQ(second.failure().kind, CallFailure::Kind::kWaitTooLong);
  ASSERT_TRUE(second.failure().retry_after);
  EXPECT_NEAR(ToSeconds(*second.failure().retry_after), 44.75, 0.001);
  ASSERT_TRUE(second.failure().wait);
  EXPECT_EQ(second.failure().wait->limit, 200'000);
  EXPECT_EQ(rig.State().queued, 1u);
}

TEST_P(CallWait, WithMaxWaitZeroLeavesALedgerThatIsFarAwayTheTimeToAnswer) {
  CallRig rig({}, milliseconds(40));
  rig.Learn(200'000, 50'000);
  rig.upstream.Push(Good());
  TestCall fits(rig, GetParam(), {.call_id = "fits", .charge = 50'000, .max_wait = seconds(0)});
  fits.Start();
  rig.loop.Advance(milliseconds(40));
  EXPECT_TRUE(fits.completed());
  TestCall waits(rig, GetParam(), {.call_id = "waits", .charge = 100'000, .max_wait = seconds(0)});
  waits.Start();
  rig.loop.Advance(milliseconds(300));
  ASSERT_TRUE(waits.finished());
  EXPECT_TRUE(waits.failure().retry_after);
}

TEST_P(CallWait, MayBeCancelledBeforeTheLedgersFirstWord) {
  CallRig rig({}, milliseconds(40));
  TestCall test(rig, GetParam(), {.max_wait = seconds(0)});
  test.Start();
  rig.loop.Advance(milliseconds(39));
  ASSERT_FALSE(test.finished());
  test.call->Cancel("enough");
  rig.loop.Advance(seconds(1));
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kCancelled);
  EXPECT_THAT(rig.upstream.seen(), IsEmpty());
  EXPECT_EQ(rig.State().in_flight, 0u);
}

TEST_P(CallWait, EndsWithItsPatienceWhereTheLedgerNeverAnswers) {
  CallRig rig({}, hours(1));
  TestCall test(rig, GetParam(), {.max_wait = seconds(10)});
  test.Start();
  rig.loop.Advance(seconds(12));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
}

TEST_P(CallWait, WithMaxWaitZeroDoesNotWaitForAnotherToLearnTheLimits) {
  CallRig rig({.tokens_per_minute = 0});
  rig.upstream.Push(Script());
  TestCall first(rig, GetParam(), {.call_id = "first"});
  first.Start();
  rig.loop.Advance(seconds(1));
  TestCall second(rig, GetParam(), {.call_id = "second", .max_wait = seconds(0)});
  second.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(second.finished());
  EXPECT_EQ(second.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_TRUE(second.failure().retry_after);
}

TEST_P(CallWait, IsToldThatItWaitsForAnotherToLearnTheLimits) {
  CallRig rig({.tokens_per_minute = 0});
  rig.upstream.Push(Script().After(seconds(3)).Headers(200, {{"content-type", "text/event-stream"}}));
  rig.upstream.Push(Good());
  TestCall first(rig, GetParam(), {.call_id = "first"});
  first.Start();
  rig.loop.Advance(seconds(1));
  TestCall second(rig, GetParam(), {.call_id = "second"});
  second.Start();
  rig.loop.Advance(seconds(1));
  ASSERT_THAT(second.spy->waits, SizeIs(1));
  EXPECT_EQ(second.spy->waits[0].reason, WaitNotice::Reason::kLearning);
  EXPECT_THAT(second.spy->admissions, IsEmpty());
  rig.loop.Advance(seconds(1));
  EXPECT_TRUE(second.completed());
}

TEST_P(CallWait, FailsForGoodWhatIsLargerThanTheLimitAndSaysWhatFits) {
  CallRig rig;
  TestCall test(rig, GetParam(), {.charge = 200'001});
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kNeverFits);
  EXPECT_EQ(test.failure().largest, 200'000);
  EXPECT_THAT(test.failure().message, HasSubstr("200001"));
  EXPECT_THAT(rig.upstream.seen(), IsEmpty());
}

TEST_P(CallWait, WaitsInTheOrderOfArrivalWithinASession) {
  CallRig rig;
  rig.Learn(200'000, 0);
  rig.upstream.set_otherwise([this] { return Good(); });
  TestCall first(rig, GetParam(), {.call_id = "first", .session = "s", .charge = 100'000});
  TestCall second(rig, GetParam(), {.call_id = "second", .session = "s", .charge = 1'000});
  first.Start();
  second.Start();
  rig.loop.Advance(seconds(1));
  ASSERT_THAT(second.spy->waits, SizeIs(1));
  EXPECT_EQ(second.spy->waits[0].estimate.position, 2);
  rig.loop.Advance(seconds(28));
  EXPECT_FALSE(first.finished());
  EXPECT_FALSE(second.finished());
  rig.loop.Advance(seconds(2));
  EXPECT_TRUE(first.completed());
  EXPECT_TRUE(second.completed());
}

TEST_P(CallWait, WhileTheLedgerIsAwayBacksOffAndThenTakesAPlace) {
  CallRig rig;
  rig.SetLedgerAway(true);
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(seconds(20));
  ASSERT_FALSE(test.spy->waits.empty());
  EXPECT_EQ(test.spy->waits[0].reason, WaitNotice::Reason::kBackoff);
  EXPECT_THAT(test.spy->waits[0].detail, HasSubstr("cannot be reached"));
  EXPECT_LT(test.spy->waits.size(), 12u) << "the pauses grow";
  rig.SetLedgerAway(false);
  rig.loop.Advance(seconds(20));
  ASSERT_TRUE(test.completed());
  EXPECT_GE(test.spy->outcomes[0].waited, seconds(20));
}

TEST_P(CallWait, WhenTheLedgerIsBackNobodyStandsInLineForTheRetryBudget) {
  CallRig rig({.tokens_per_minute = 0});
  rig.Learn(1'000'000, 1'000'000);
  rig.upstream.set_otherwise([this] { return Good(); });
  rig.SetLedgerAway(true);
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(std::make_unique<TestCall>(rig, GetParam(), TestCall::Ask{.call_id = std::to_string(i)}));
    calls.back()->Start();
  }
  rig.loop.Advance(seconds(30));
  rig.SetLedgerAway(false);
  rig.loop.Advance(seconds(30));
  for (const auto& call : calls) EXPECT_TRUE(call->completed());
}

TEST_P(CallWait, WaitsNoLongerThanMaxWaitForALedgerThatStaysAway) {
  CallRig rig;
  rig.SetLedgerAway(true);
  TestCall test(rig, GetParam(), {.max_wait = seconds(60)});
  test.Start();
  rig.loop.Advance(seconds(61));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().message, HasSubstr("cannot be reached"));
  EXPECT_LE(test.spy->outcomes[0].waited, seconds(60));
}

// Queue, backoff and refusal each take their part of one allowance; the running does not.
TEST_P(CallWait, MaxWaitBoundsTheSumOfAllWaits) {
  CallRig rig;
  rig.Learn(200'000, 100'000);
  // 50,000 short: 15 s in the queue. Then 20 s of overload, then a limit that says 30 s.
  rig.upstream.Push(Script().After(seconds(40)).Headers(503, {{"retry-after", "20"}}).End());
  rig.upstream.Push(Script().After(seconds(40)).Headers(429, {{"retry-after", "30"}}).End());
  rig.upstream.set_otherwise([this] { return Good(); });
  TestCall enough(rig, GetParam(), {.charge = 150'000, .max_wait = seconds(120)});
  enough.Start();
  rig.loop.Advance(hours(1));
  ASSERT_TRUE(enough.completed());
  const Duration needed = enough.spy->outcomes[0].waited;
  // 20 s are named, 25 s with half of the jitter; after it the charge of the first is to refill, too.
  EXPECT_GE(needed, seconds(15 + 25 + 30));

  for (const Duration short_of : {milliseconds(1), milliseconds(20'000)}) {
    CallRig again;
    again.Learn(200'000, 100'000);
    again.upstream.Push(Script().After(seconds(40)).Headers(503, {{"retry-after", "20"}}).End());
    again.upstream.Push(Script().After(seconds(40)).Headers(429, {{"retry-after", "30"}}).End());
    again.upstream.set_otherwise([this] { return Good(); });
    TestCall test(again, GetParam(), {.charge = 150'000, .max_wait = needed - short_of});
    test.Start();
    again.loop.Advance(hours(1));
    ASSERT_TRUE(test.finished());
    ASSERT_FALSE(test.completed());
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
    EXPECT_LE(test.spy->outcomes[0].waited, needed - short_of);
    EXPECT_THAT(again.upstream.seen(), SizeIs(3)) << "the teacher, the overload, the refusal";
  }
}

// Rows of real refusals, and what the provider's own texts said (floored to milliseconds).
struct Row {
  int64_t limit, used, requested, milliseconds;
};

class AnnouncedWait : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Rows, AnnouncedWait,
                         testing::Values(Row{200'000, 160'193, 51'963, 3'646}, Row{200'000, 158'833, 62'431, 6'379},
                                         Row{200'000, 162'960, 42'288, 1'574}, Row{200'000, 150'405, 51'478, 564},
                                         Row{30'000, 4'828, 25'212, 80}, Row{30'000, 22'999, 12'528, 11'054},
                                         Row{250'000, 250'000, 143'071, 34'337}));

TEST_P(AnnouncedWait, IsWhatTheProviderWouldHaveNamedAndIsKept) {
  const Row& row = GetParam();
  CallRig rig({.tokens_per_minute = row.limit});
  rig.Learn(row.limit, row.limit - row.used);
  rig.upstream.Push(Script::Stream().Body(StreamText(Wire::kTypedResponses).Answer("hello")).End());
  const BootTime start = rig.loop.Now();
  const WallTime wall_start = rig.loop.WallNow();
  TestCall test(rig, Wire::kTypedResponses, {.charge = row.requested});
  test.Start();
  rig.loop.Advance(minutes(2));

  ASSERT_THAT(test.spy->waits, SizeIs(1)) << "nothing changed, so there was nothing more to say";
  const WaitNotice& notice = test.spy->waits[0];
  EXPECT_EQ(notice.reason, WaitNotice::Reason::kRateLimit);
  EXPECT_EQ(notice.scope, kGroup);
  EXPECT_EQ(notice.estimate.limit, row.limit);
  EXPECT_EQ(notice.estimate.used, row.used);
  EXPECT_EQ(notice.estimate.requested, row.requested);
  EXPECT_EQ(notice.estimate.position, 1);
  EXPECT_EQ(std::chrono::floor<milliseconds>(notice.estimate.wait).count(), row.milliseconds);
  EXPECT_EQ(std::chrono::floor<milliseconds>(notice.retry_at - wall_start).count(), row.milliseconds);

  ASSERT_THAT(rig.upstream.seen(), SizeIs(2));
  const Duration real = rig.upstream.seen()[1].at - start;
  const double exact = static_cast<double>(row.used + row.requested - row.limit) / static_cast<double>(row.limit) * 60;
  EXPECT_GE(ToSeconds(real), exact) << "never before";
  EXPECT_LT(ToSeconds(real), exact + 0.001);
  EXPECT_EQ(test.spy->admissions.at(0).waited, real);
  ASSERT_TRUE(rig.observer.forecast_errors.at(0));
  EXPECT_NEAR(*rig.observer.forecast_errors[0], 0, 1e-3);
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.spy->outcomes[0].waited, real);
}

TEST(ForecastError, IsMeasuredOncePerForecastAndNotOverBackoffs) {
  CallRig rig;
  rig.Learn(200'000, 0);
  rig.upstream.Push(Script().Break("connection refused"));
  rig.upstream.Push(Script::Stream().Body(StreamText(Wire::kTypedResponses).Answer("hello")).End());
  TestCall test(rig, Wire::kTypedResponses, {.charge = 10'000});
  test.Start();
  rig.loop.Advance(minutes(1));
  ASSERT_TRUE(test.completed());
  ASSERT_THAT(rig.observer.forecast_errors, SizeIs(2));
  EXPECT_TRUE(rig.observer.forecast_errors[0]);
  EXPECT_FALSE(rig.observer.forecast_errors[1]) << "a backoff is no forecast";
}

}  // namespace
}  // namespace holdfast::quota
