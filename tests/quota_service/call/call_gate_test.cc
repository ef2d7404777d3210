// An upstream that fails for all, a key that is refused, money that is gone: what calls that come afterwards see.
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
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kBadKey[] =
    R"({"error":{"message":"Incorrect API key provided: key-of-acme.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})";
constexpr char kQuotaGone[] =
    R"({"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})";

class CallGate : public CallTest {
 protected:
  CallGate() {
    rig_.upstream.set_otherwise([this] { return Good(); });
  }

  TestCall& Begin(TestCall::Ask ask = {}) {
    ask.call_id = "call-" + std::to_string(calls_.size());
    calls_.push_back(std::make_unique<TestCall>(rig_, GetParam(), ask));
    calls_.back()->Start();
    return *calls_.back();
  }
  // Five calls fail; they are cancelled, and the account's breaker is open.
  void Break() {
    rig_.upstream.set_otherwise([] { return Script::Answer(503, ""); });
    for (int i = 0; i < 5; ++i) Begin();
    rig_.loop.Advance(Duration::zero());
    for (const auto& call : calls_) call->call->Cancel("over");
    ASSERT_TRUE(gate().holds());
    sent_ = rig_.upstream.seen().size();
  }
  void Mend() {
    rig_.upstream.set_otherwise([this] { return Good(); });
  }
  // Two calls are answered so.
  void Answer(const Script& script) {
    for (int i = 0; i < 2; ++i) {
      rig_.upstream.Push(script);
      TestCall& call = Begin();
      rig_.loop.Advance(Duration::zero());
      ASSERT_TRUE(call.finished());
    }
    sent_ = rig_.upstream.seen().size();
  }
  // Requests since Break or Answer.
  size_t sent() const { return rig_.upstream.seen().size() - sent_; }
  AccountGate& gate() { return rig_.gates.Of("acme"); }

  CallRig rig_{{.tokens_per_minute = 0}};
  std::vector<std::unique_ptr<TestCall>> calls_;
  size_t sent_ = 0;
};
HOLDFAST_FOR_EVERY_WIRE(CallGate);

TEST_P(CallGate, AnUpstreamThatFailsForAllIsAskedByOneCallAtATime) {
  Break();
  for (int i = 0; i < 50; ++i) Begin();
  rig_.loop.Advance(milliseconds(900));
  EXPECT_EQ(sent(), 0u);
  rig_.loop.Advance(minutes(2));
  // After 1, 2, 4, 8, 16 s and then every half minute.
  EXPECT_THAT(sent(), AllOf(testing::Ge(7u), testing::Le(8u)));
  for (const auto& call : calls_) call->call->Cancel("over");
  EXPECT_EQ(rig_.State().in_flight, 0u);
}

TEST_P(CallGate, AHeldCallIsToldThatItWaitsForTheProbeAndWhenItGoes) {
  Break();
  TestCall& first = Begin();
  TestCall& second = Begin();
  rig_.loop.Advance(milliseconds(100));
  for (const TestCall* call : {&first, &second}) {
    ASSERT_THAT(call->spy->waits, SizeIs(1));
    EXPECT_EQ(call->spy->waits[0].reason, WaitNotice::Reason::kBackoff);
    EXPECT_EQ(call->spy->waits[0].estimate.wait, seconds(1));
    EXPECT_THAT(call->spy->waits[0].detail, HasSubstr("acme fails for all calls"));
  }
  EXPECT_EQ(first.spy->waits[0].estimate.position, 1);
  EXPECT_EQ(second.spy->waits[0].estimate.position, 2);
  rig_.loop.Advance(seconds(1));
  EXPECT_THAT(first.spy->admissions, SizeIs(1));
  ASSERT_THAT(second.spy->waits, Not(SizeIs(1))) << "the probe's moment has moved";
  EXPECT_GT(second.spy->waits.back().ends, rig_.loop.Now());
}

TEST_P(CallGate, AllGoWhenAProbeIsAnswered) {
  Break();
  Mend();
  for (int i = 0; i < 50; ++i) Begin();
  rig_.loop.Advance(milliseconds(1100));
  for (size_t i = 5; i < calls_.size(); ++i) EXPECT_TRUE(calls_[i]->completed()) << i;
  EXPECT_FALSE(gate().holds());
}

TEST_P(CallGate, TheCallsThatOpenedItAreHeldWithTheirGrantsAndGoWhenItCloses) {
  rig_.upstream.set_otherwise([] { return Script::Answer(503, ""); });
  for (int i = 0; i < 8; ++i) Begin();
  rig_.loop.Advance(minutes(3));
  EXPECT_TRUE(gate().holds());
  Mend();
  rig_.loop.Advance(seconds(80));
  for (const auto& call : calls_) EXPECT_TRUE(call->completed());
  EXPECT_EQ(rig_.State().in_flight, 0u);
}

// While probes fail, each is another call's turn: one that the upstream cannot digest does not keep the others out.
TEST_P(CallGate, ProbesGoRound) {
  Break();
  TestCall& poison = Begin();
  TestCall& good = Begin();
  rig_.loop.Advance(milliseconds(1100));
  ASSERT_THAT(poison.spy->admissions, SizeIs(1));
  Mend();
  rig_.loop.Advance(seconds(5));
  EXPECT_TRUE(good.completed());
}

TEST_P(CallGate, WaitingIsBoundedByMaxWaitAlone) {
  Break();
  TestCall& call = Begin({.max_wait = seconds(40)});
  rig_.loop.Advance(milliseconds(39'999));
  EXPECT_FALSE(call.finished());
  rig_.loop.Advance(seconds(2));
  ASSERT_TRUE(call.finished());
  EXPECT_EQ(call.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_TRUE(call.failure().retry_after);
  EXPECT_EQ(rig_.State().in_flight, 0u);
}

// Without the breaker it would have been sent; so it is.
TEST_P(CallGate, WhoCanWaitNoLongerIsSentRatherThanFailed) {
  Break();
  for (int i = 0; i < 5; ++i) Begin();
  rig_.loop.Advance(seconds(33));  // the next probe goes at 61 s
  Mend();
  TestCall& hasty = Begin({.max_wait = Duration::zero()});
  rig_.loop.Advance(milliseconds(10));
  EXPECT_TRUE(hasty.completed());
  EXPECT_FALSE(gate().holds()) << "and its answer is everybody's";
}

TEST_P(CallGate, WhoMayNotWaitAtAllIsToldWhenToComeAgain) {
  Break();
  TestCall& hasty = Begin({.max_wait = Duration::zero()});
  rig_.loop.Advance(milliseconds(10));
  ASSERT_TRUE(hasty.finished());
  EXPECT_EQ(hasty.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_EQ(hasty.failure().retry_after, seconds(1));
  EXPECT_THAT(hasty.failure().message, HasSubstr("upstream acme fails for all"));
  EXPECT_EQ(sent(), 0u);
}

TEST_P(CallGate, ACancelledProbeGivesItsTurnToTheNext) {
  Break();
  rig_.upstream.set_otherwise([] { return Script(); });  // silent
  TestCall& first = Begin();
  TestCall& second = Begin();
  rig_.loop.Advance(seconds(1));
  ASSERT_THAT(first.spy->admissions, SizeIs(1));
  EXPECT_THAT(second.spy->admissions, IsEmpty());
  Mend();
  first.call->Cancel("over");
  rig_.loop.Advance(milliseconds(10));
  EXPECT_TRUE(second.completed());
}

TEST_P(CallGate, NeitherRefusalsNorWrongRequestsNorPagesOpenIt) {
  for (const Script& answer :
       {Script::Answer(400, R"({"error":{"message":"no such tool","type":"invalid_request_error"}})"),
        Script::Answer(429, "", {{"retry-after", "1"}}), Script::Answer(404, ""), Script::Answer(413, ""),
        Script::Answer(200, "<html>maintenance</html>"), Script::Answer(302, "")}) {
    rig_.upstream.set_otherwise([answer] { return answer; });
    for (int i = 0; i < 30; ++i) Begin();
    rig_.loop.Advance(seconds(3));
    EXPECT_FALSE(gate().holds());
    for (const auto& call : calls_) call->call->Cancel("over");
  }
}

TEST_P(CallGate, OneRequestThatTheUpstreamCannotDigestHoldsNobody) {
  rig_.upstream.set_otherwise([] { return Script::Answer(500, "oops"); });
  Begin();
  rig_.loop.Advance(minutes(5));
  EXPECT_FALSE(gate().holds());
  Mend();
  TestCall& other = Begin();
  rig_.loop.Advance(Duration::zero());
  EXPECT_TRUE(other.completed());
}

TEST_P(CallGate, AnotherAccountGoesOn) {
  Break();
  Mend();
  rig_.account.name = "other";
  TestCall& call = Begin();
  rig_.loop.Advance(Duration::zero());
  EXPECT_TRUE(call.completed());
}

TEST_P(CallGate, ARefusedKeyIsNotAskedAgainAndNamesUpstreamAndRemedy) {
  Answer(Script::Answer(401, kBadKey));
  for (int i = 0; i < 20; ++i) {
    TestCall& call = Begin();
    rig_.loop.Advance(seconds(2));
    ASSERT_TRUE(call.finished());
    EXPECT_EQ(call.failure().kind, CallFailure::Kind::kUpstreamAuth);
    EXPECT_THAT(call.failure().message, AllOf(HasSubstr("upstream acme refuses the key"), HasSubstr("invalid_api_key"),
                                              HasSubstr("check the key"), Not(HasSubstr("key-of-acme"))));
    EXPECT_FALSE(call.failure().retry_after);
  }
  EXPECT_EQ(sent(), 0u);
}

TEST_P(CallGate, AHiccupThatRefusesOneCallEndsNoOther) {
  rig_.upstream.Push(Script::Answer(401, kBadKey));
  Begin();
  rig_.loop.Advance(Duration::zero());
  for (int i = 0; i < 5; ++i) Begin();
  rig_.loop.Advance(Duration::zero());
  for (size_t i = 1; i < calls_.size(); ++i) EXPECT_TRUE(calls_[i]->completed());
}

TEST_P(CallGate, AMendedKeyComesBackWithTheFirstCallAfterTheMinute) {
  Answer(Script::Answer(401, kBadKey));
  rig_.loop.Advance(seconds(61));
  TestCall& probe = Begin();
  TestCall& next = Begin();
  rig_.loop.Advance(Duration::zero());
  EXPECT_TRUE(probe.completed());
  EXPECT_TRUE(next.finished()) << "it does not wait for the one that asks";
  TestCall& later = Begin();
  rig_.loop.Advance(Duration::zero());
  EXPECT_TRUE(later.completed());
  EXPECT_EQ(gate().outage(), nullptr);
}

TEST_P(CallGate, QuotaThatIsGoneSaysUntilWhen) {
  Answer(Script::Answer(
      429, R"({"error":{"code":"1308","message":"Usage limit reached. Your limit will reset at 2026-01-10 12:26:55"}})",
      {{"date", "Sat, 10 Jan 2026 03:26:55 GMT"}}));
  TestCall& call = Begin();
  rig_.loop.Advance(seconds(0));
  ASSERT_TRUE(call.finished());
  EXPECT_EQ(call.failure().kind, CallFailure::Kind::kQuotaExhausted);
  EXPECT_EQ(call.failure().retry_after, hours(1));
  EXPECT_THAT(call.failure().message, AllOf(HasSubstr("upstream acme has no money or quota left"), HasSubstr("until")));
  EXPECT_EQ(sent(), 0u);
}

TEST_P(CallGate, CallsInTheQueueEndWhenTheKeyIsRefused) {
  CallRig rig({.tokens_per_minute = 0, .concurrent = 1});
  rig.upstream.set_otherwise([] { return std::move(Script().After(seconds(1)).Headers(401, {}).End()); });
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(std::make_unique<TestCall>(rig, GetParam(), TestCall::Ask{.call_id = std::to_string(i)}));
    calls.back()->Start();
  }
  rig.loop.Advance(milliseconds(2001));
  for (const auto& call : calls) {
    ASSERT_TRUE(call->finished());
    EXPECT_EQ(call->failure().kind, CallFailure::Kind::kUpstreamAuth);
  }
  EXPECT_THAT(rig.upstream.seen(), SizeIs(2));
  EXPECT_EQ(rig.State().queued, 0u);
}

TEST_P(CallGate, AKeyThatMayNotUseOneModelIsGoodForOthers) {
  Answer(Script::Answer(
      403,
      R"({"error":{"message":"Project `p` does not have access to model `gpt`","type":"invalid_request_error","code":"model_not_found"}})"));
  TestCall& call = Begin();
  rig_.loop.Advance(Duration::zero());
  EXPECT_TRUE(call.completed());
}

TEST_P(CallGate, ARefusedKeyOrGoneMoneyCostsNothingAndAWrongRequestDoes) {
  const auto remaining_after = [&](const Script& answer) {
    CallRig rig;
    rig.Learn(200'000, 100'000);
    rig.upstream.Push(answer);
    TestCall call(rig, GetParam(), {.charge = 50'000});
    call.Start();
    rig.loop.Advance(Duration::zero());
    EXPECT_TRUE(call.finished());
    return rig.Remaining();
  };
  EXPECT_EQ(remaining_after(Script::Answer(401, kBadKey)), 100'000);
  EXPECT_EQ(remaining_after(Script::Answer(429, kQuotaGone)), 100'000);
  EXPECT_EQ(remaining_after(Script::Answer(400, "")), 50'000);
}

// Whatever happens, an upstream that is well again serves everybody, and nobody failed before its time.
TEST_P(CallGate, RandomTroublePassesAndNobodyIsForgotten) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 generator(seed);
    const auto pick = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(generator); };
    CallRig rig({.tokens_per_minute = 0, .concurrent = pick(1) == 0 ? 3 : 0}, milliseconds(pick(1) * 30));
    rig.chance = [&] { return std::uniform_real_distribution<double>(0, 1)(generator); };
    const BootTime mended = rig.loop.Now() + seconds(pick(200));
    rig.upstream.set_otherwise([&] {
      if (rig.loop.Now() >= mended || pick(9) == 0) return Good();
      return std::move(Script().After(milliseconds(pick(3000))).Headers(pick(3) == 0 ? 502 : 503, {}).End());
    });
    std::vector<std::unique_ptr<TestCall>> calls;
    std::vector<Duration> max_waits;
    for (int i = 0; i < 40; ++i) {
      max_waits.push_back(seconds(pick(2) == 0 ? pick(60) : 900));
      calls.push_back(std::make_unique<TestCall>(
          rig, GetParam(), TestCall::Ask{.call_id = std::to_string(i), .charge = 0, .max_wait = max_waits.back()}));
      calls.back()->Start();
      if (pick(9) == 0) calls[static_cast<size_t>(pick(i))]->call->Cancel("its caller");
      rig.loop.Advance(milliseconds(pick(4000)));
    }
    rig.loop.Advance(minutes(20));
    for (size_t i = 0; i < calls.size(); ++i) {
      ASSERT_TRUE(calls[i]->finished()) << i;
      if (calls[i]->completed() || calls[i]->failure().kind == CallFailure::Kind::kCancelled) continue;
      EXPECT_EQ(calls[i]->failure().kind, CallFailure::Kind::kWaitTooLong);
      EXPECT_LE(max_waits[i], seconds(60)) << "who could wait was served";
      EXPECT_LE(calls[i]->spy->outcomes[0].waited, max_waits[i] + seconds(1));
    }
    EXPECT_EQ(rig.State().in_flight, 0u);
    EXPECT_EQ(rig.State().queued, 0u);
    EXPECT_EQ(rig.upstream.open(), 0u);
    EXPECT_FALSE(rig.gates.Of("acme").holds());
  }
}

}  // namespace
}  // namespace holdfast::quota
