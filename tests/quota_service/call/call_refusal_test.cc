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
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;

constexpr char kText[] =
    "Rate limit reached for gpt in organization acme on tokens per min (TPM): Limit 200000, Used 160193, Requested "
    "51963. Please try again in 3.646s. Visit https://acme.test/limits to learn more.";

std::string ErrorJson(std::string_view type, std::string_view code, std::string_view message) {
  return "{\"error\":{\"type\":\"" + std::string(type) + "\",\"code\":\"" + std::string(code) + "\",\"message\":\"" +
         std::string(message) + "\"}}";
}

// The upstream refuses what seemed to fit.
class CallRefusal : public CallTest {
 protected:
  // One call is refused by `refusal`; a second request of it is answered.
  struct Course {
    CallRig rig;
    std::unique_ptr<TestCall> test;
    // Between the refusal and the second request.
    Duration pause{};
  };
  void Run(Course& course, Script refusal) {
    CallRig& rig = course.rig;
    rig.upstream.Push(std::move(refusal));
    rig.upstream.Push(Good());
    course.test = std::make_unique<TestCall>(rig, GetParam(), TestCall::Ask{.charge = 51'963});
    course.test->Start();
    rig.loop.Advance(hours(1));
    ASSERT_TRUE(course.test->completed());
    EXPECT_EQ(course.test->Text(), "hello");
    EXPECT_THAT(course.test->spy->restarts, IsEmpty());
    ASSERT_THAT(rig.upstream.seen(), SizeIs(2)) << "one more upstream request";
    EXPECT_EQ(course.test->spy->outcomes[0].attempts, 2);
    course.pause = rig.upstream.seen()[1].at - rig.upstream.seen()[0].at;
  }
};
HOLDFAST_FOR_EVERY_WIRE(CallRefusal);

TEST_P(CallRefusal, WithATextIsWaitedOutAsTheTextSays) {
  Course course;
  Run(course, Script::Answer(429, ErrorJson("tokens", "rate_limit_exceeded", kText)));
  EXPECT_GE(course.pause, milliseconds(3'646));
  EXPECT_LT(course.pause, milliseconds(3'650));
  const auto& waits = course.test->spy->waits;
  ASSERT_THAT(waits, SizeIs(Gt(0u)));
  EXPECT_EQ(waits[0].attempts, 1);
  EXPECT_NEAR(ToSeconds(waits[0].estimate.wait), 3.646, 0.001);
  EXPECT_THAT(waits[0].detail, HasSubstr("Please try again in 3.646s"));
  EXPECT_THAT(course.rig.observer.statuses, ElementsAre(429, 200));
}

TEST_P(CallRefusal, WithHeadersAloneIsWaitedOutAsTheHeadersSay) {
  Course course;
  Run(course, Script::Answer(429, "", {{"retry-after-ms", "7250"}, {"retry-after", "8"}}));
  EXPECT_GE(course.pause, milliseconds(7'250));
  EXPECT_LT(course.pause, milliseconds(8'001));
}

TEST_P(CallRefusal, WithTheLevelAloneWaitsUntilItFits) {
  Course course;
  Run(course, Script::Answer(429, "",
                             {{"x-ratelimit-limit-tokens", "200000"},
                              {"x-ratelimit-remaining-tokens", "21963"},
                              {"x-ratelimit-remaining-requests", "10"}}));
  EXPECT_GE(course.pause, seconds(1));
  EXPECT_LT(course.pause, seconds(10));
}

TEST_P(CallRefusal, BareIsWaitedOutByOwnPauses) {
  Course course;
  Run(course, Script::Answer(429, ""));
  EXPECT_GE(course.pause, milliseconds(500));
  EXPECT_LT(course.pause, seconds(5));
}

TEST_P(CallRefusal, InsideAStreamBeforeOutputIsInvisible) {
  Course course;
  Run(course, Script::Stream().Body(stream().Started()).Body(stream().Failed("rate_limit_exceeded", kText)));
  EXPECT_GE(course.pause, milliseconds(3'646));
  EXPECT_LT(course.pause, milliseconds(3'650));
  EXPECT_FALSE(course.rig.upstream.seen()[0].open);
}

TEST_P(CallRefusal, AsAnErrorEventBeforeOutputIsInvisible) {
  Course course;
  Run(course, Script::Stream().Body(stream().Started()).Body(stream().Error("rate_limit_exceeded", kText)));
  EXPECT_GE(course.pause, milliseconds(3'646));
  EXPECT_LT(course.pause, milliseconds(3'650));
}

TEST_P(CallRefusal, ToldOnceKeepsOthersOfTheGroupFromBeingRefused) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(429, ErrorJson("tokens", "rate_limit_exceeded", kText)));
  rig.upstream.set_otherwise([this] { return Good(); });
  TestCall first(rig, GetParam(), {.call_id = "first", .charge = 51'963});
  TestCall second(rig, GetParam(), {.call_id = "second", .charge = 10});
  first.Start();
  rig.loop.Advance(seconds(1));
  second.Start();
  rig.loop.Advance(seconds(2));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  rig.loop.Advance(seconds(10));
  EXPECT_TRUE(first.completed());
  EXPECT_TRUE(second.completed());
}

// A gateway before the provider may say "0" for ever.
TEST_P(CallRefusal, AgainAndAgainAtOnceDoesNotHammerTheUpstream) {
  const std::string contradiction =
      ErrorJson("tokens", "rate_limit_exceeded", "Rate limit reached: Limit 200000, Used 100, Requested 1000.");
  const auto refuse = [](HttpHeaders headers, const std::string& body) {
    return Script().After(milliseconds(5)).Headers(429, std::move(headers)).Body(body).End();
  };
  const Script kinds[] = {refuse({{"retry-after", "0"}}, ""), refuse({{"retry-after-ms", "1"}}, ""),
                          refuse({}, contradiction)};
  for (const Script& kind : kinds) {
    CallRig rig;
    rig.upstream.set_otherwise([&] { return kind; });
    TestCall test(rig, GetParam(), {.max_wait = minutes(2)});
    test.Start();
    rig.loop.Advance(minutes(1));
    EXPECT_LT(rig.upstream.seen().size(), 20u);
    rig.loop.Advance(minutes(2));
    ASSERT_TRUE(test.finished()) << "and it ends with its patience";
    EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  }
}

TEST_P(CallRefusal, LongerThanMaxWaitFailsAtOnceWithTheTimeNamed) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(429, "", {{"retry-after", "61"}}));
  TestCall test(rig, GetParam(), {.max_wait = minutes(1)});
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().retry_after, Optional(Duration(seconds(61))));
  EXPECT_EQ(rig.State().queued, 0u);
  EXPECT_EQ(rig.State().in_flight, 0u);
}

// What the refusal said is not lost with the call that could not wait for it.
TEST_P(CallRefusal, OfACallThatMayNotWaitStillTeachesTheLedger) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(429, ErrorJson("tokens", "rate_limit_exceeded", kText)));
  rig.upstream.Push(Good());
  TestCall hasty(rig, GetParam(), {.call_id = "hasty", .charge = 51'963, .max_wait = seconds(0)});
  hasty.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(hasty.finished());
  EXPECT_EQ(rig.Remaining(), 39'807) << "as the refusal said, and the refused took nothing";
  TestCall patient(rig, GetParam(), {.call_id = "patient", .charge = 51'963});
  patient.Start();
  rig.loop.Advance(milliseconds(3'640));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
  rig.loop.Advance(milliseconds(20));
  EXPECT_TRUE(patient.completed());
}

struct Permanent {
  int status;
  const char* type;
  const char* code;
  const char* message;
  CallFailure::Kind kind;
};

class CallPermanentFailure : public CallTest {
 protected:
  static constexpr Permanent kCases[] = {
      {429, "tokens", "rate_limit_exceeded", "Request too large for gpt: Limit 30000, Requested 51963.",
       CallFailure::Kind::kNeverFits},
      {429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.",
       CallFailure::Kind::kQuotaExhausted},
      {400, "invalid_request_error", "context_length_exceeded", "Your input exceeds the context window.",
       CallFailure::Kind::kNeverFits},
      {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.",
       CallFailure::Kind::kUpstreamAuth},
      {403, "permission_error", "", "Not allowed.", CallFailure::Kind::kUpstreamAuth},
      {400, "invalid_request_error", "invalid_value", "Unknown parameter.", CallFailure::Kind::kInvalidRequest},
  };
};
HOLDFAST_FOR_EVERY_WIRE(CallPermanentFailure);

TEST_P(CallPermanentFailure, EndsTheCallAtOnce) {
  for (const Permanent& permanent : kCases) {
    SCOPED_TRACE(permanent.message);
    CallRig rig;
    rig.upstream.Push(Script::Answer(permanent.status, ErrorJson(permanent.type, permanent.code, permanent.message)));
    TestCall test(rig, GetParam(), {.charge = 51'963});
    test.Start();
    rig.loop.Advance(hours(1));
    ASSERT_TRUE(test.finished());
    EXPECT_EQ(test.failure().kind, permanent.kind);
    EXPECT_THAT(test.failure().message, HasSubstr(permanent.message));
    EXPECT_THAT(test.failure().message, HasSubstr("acme")) << "names the upstream";
    EXPECT_THAT(test.spy->waits, IsEmpty());
    EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
    EXPECT_EQ(rig.State().in_flight, 0u);
  }
}

TEST_P(CallPermanentFailure, NeverRepeatsOurKey) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(401, ErrorJson("", "", "The key key-of-acme is not welcome, key-of-acme!")));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(hours(1));
  ASSERT_TRUE(test.finished());
  EXPECT_THAT(test.failure().message, HasSubstr("is not welcome"));
  EXPECT_THAT(test.failure().message, testing::Not(HasSubstr("key-of-acme")));
}

TEST_P(CallPermanentFailure, InsideAStreamEndsTheCallAtOnce) {
  CallRig rig;
  rig.upstream.Push(
      Script::Stream().Body(stream().Started()).Body(stream().Failed("insufficient_quota", "Check your plan.")));
  TestCall test(rig, GetParam());
  test.Start();
  rig.loop.Advance(hours(1));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kQuotaExhausted);
  EXPECT_THAT(rig.upstream.seen(), SizeIs(1));
}

TEST_P(CallPermanentFailure, OfLimitsSaysTheLargestThatFits) {
  CallRig rig;
  rig.upstream.Push(Script::Answer(
      429, ErrorJson("tokens", "rate_limit_exceeded", "Request too large for gpt: Limit 30000, Requested 51963.")));
  TestCall test(rig, GetParam(), {.charge = 51'963});
  test.Start();
  rig.loop.Advance(seconds(1));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().largest, 30'000);
}

TEST_P(CallPermanentFailure, ToBuildTheBodyEndsTheCallAndChargesNothing) {
  CallRig rig;
  TestCall test(rig, GetParam(), {.charge = 51'963});
  test.spy->body_error = absl::InvalidArgumentError("items[3]: an image cannot go there");
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kInvalidRequest);
  EXPECT_THAT(test.failure().message, HasSubstr("items[3]"));
  EXPECT_THAT(rig.upstream.seen(), IsEmpty());
  EXPECT_EQ(rig.State().in_flight, 0u);
  EXPECT_EQ(rig.Remaining(), 200'000);
}

}  // namespace
}  // namespace holdfast::quota
