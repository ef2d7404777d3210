#include "quota_service/retry/account_health.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::IsNull;
using testing::NotNull;
using testing::SizeIs;

UpstreamFailure KeyRefused(FailureScope scope = FailureScope::kAccount) {
  UpstreamFailure failure;
  failure.cls = FailureClass::kAuthentication;
  failure.scope = scope;
  failure.code = "invalid_api_key";
  return failure;
}

UpstreamFailure QuotaGone(std::optional<Duration> reset = std::nullopt, FailureScope scope = FailureScope::kAccount) {
  UpstreamFailure failure;
  failure.cls = FailureClass::kQuotaExhausted;
  failure.scope = scope;
  failure.code = "insufficient_quota";
  failure.hint.retry_after = reset;
  return failure;
}

class AccountHealthTest : public testing::Test {
 protected:
  // A new call for `model` is refused without asking.
  bool Refused(const std::string& model = "gpt") {
    const bool said = health_.Refuses(now_, model) != nullptr;
    const bool done = health_.TryPass(now_, model, ++call_) != nullptr;
    if (!done) health_.OnGone(call_);
    EXPECT_EQ(said, done);
    return done;
  }
  // Enough calls are refused to begin an outage.
  void Fail(const UpstreamFailure& failure, const std::string& model = "gpt") {
    Ask(failure, model);
    Ask(failure, model);
  }
  // A new call asks the upstream, which answers so.
  void Ask(const UpstreamFailure& failure, const std::string& model = "gpt") {
    ASSERT_THAT(health_.TryPass(now_, model, ++call_), IsNull());
    health_.OnFailed(now_, model, failure, call_);
  }
  Duration UntilAsked() {
    for (Duration wait{}; wait < hours(1); wait += seconds(1)) {
      if (health_.Refuses(now_ + wait, "gpt") == nullptr) return wait;
    }
    return hours(1);
  }

  BootTime now_{hours(5)};
  AccountHealth health_;
  uint64_t call_ = 0;
};

TEST_F(AccountHealthTest, IsUsableUntilTheUpstreamSaysOtherwise) {
  EXPECT_FALSE(Refused());
  EXPECT_THAT(health_.account(), IsNull());
}

// A provider that refuses a good key for a moment does not end everybody's turns.
TEST_F(AccountHealthTest, OneRefusalAloneIsNoOutage) {
  for (int i = 0; i < 10; ++i) {
    Ask(KeyRefused());
    EXPECT_FALSE(Refused());
    EXPECT_THAT(health_.account(), IsNull());
    ASSERT_THAT(health_.TryPass(now_, "gpt", ++call_), IsNull());
    health_.OnAccepted("gpt", call_);
  }
  Ask(KeyRefused());
  Ask(KeyRefused());
  EXPECT_TRUE(Refused());
}

TEST_F(AccountHealthTest, ARefusedKeyIsNotUsedAgainForAMinute) {
  Fail(KeyRefused());
  EXPECT_TRUE(Refused("gpt"));
  EXPECT_TRUE(Refused("another model"));
  ASSERT_THAT(health_.account(), NotNull());
  EXPECT_EQ(health_.account()->code, "invalid_api_key");
  EXPECT_EQ(health_.account()->cls, FailureClass::kAuthentication);
  EXPECT_EQ(health_.account()->since, now_);
  EXPECT_EQ(UntilAsked(), minutes(1));
}

TEST_F(AccountHealthTest, OneCallAsksAgainWhileTheOthersAreRefused) {
  Fail(KeyRefused());
  now_ += minutes(1);
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1000), IsNull());
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1000), IsNull()) << "it stays the one";
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1001), NotNull());
  EXPECT_TRUE(Refused());
}

TEST_F(AccountHealthTest, AMendedKeyComesBackWithTheCallThatAsks) {
  Fail(KeyRefused());
  now_ += minutes(1);
  ASSERT_THAT(health_.TryPass(now_, "gpt", 1000), IsNull());
  health_.OnAccepted("gpt", 1000);
  EXPECT_THAT(health_.account(), IsNull());
  EXPECT_FALSE(Refused());
  // And what is refused afterwards begins anew.
  Fail(KeyRefused());
  EXPECT_EQ(UntilAsked(), minutes(1));
}

TEST_F(AccountHealthTest, ThePauseDoublesUpToAQuarterOfAnHour) {
  Ask(KeyRefused());
  for (const int expected : {1, 2, 4, 8, 15, 15}) {
    Ask(KeyRefused());
    EXPECT_EQ(UntilAsked(), minutes(expected));
    now_ += minutes(expected);
  }
}

TEST_F(AccountHealthTest, CallsThatWereUnderWayDoNotLengthenThePause) {
  for (uint64_t call = 100; call < 150; ++call) ASSERT_THAT(health_.TryPass(now_, "gpt", call), IsNull());
  for (uint64_t call = 100; call < 150; ++call) health_.OnFailed(now_, "gpt", KeyRefused(), call);
  EXPECT_EQ(UntilAsked(), minutes(1));
}

TEST_F(AccountHealthTest, AnAnswerToACallThatWasUnderWaySaysNothingOfNow) {
  ASSERT_THAT(health_.TryPass(now_, "gpt", 100), IsNull());
  Fail(QuotaGone());
  health_.OnAccepted("gpt", 100);
  EXPECT_TRUE(Refused());
}

TEST_F(AccountHealthTest, ACallThatCannotSayGivesItsTurnToAnother) {
  Fail(KeyRefused());
  now_ += minutes(1);
  ASSERT_THAT(health_.TryPass(now_, "gpt", 1000), IsNull());
  UpstreamFailure overloaded;
  overloaded.cls = FailureClass::kOverloaded;
  health_.OnFailed(now_, "gpt", overloaded, 1000);
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1001), IsNull());
  health_.OnGone(1001);
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1002), IsNull());
}

TEST_F(AccountHealthTest, ACallThatSaysNothingForThePauseMakesRoomForAnother) {
  Fail(KeyRefused());
  now_ += minutes(1);
  ASSERT_THAT(health_.TryPass(now_, "gpt", 1000), IsNull());
  EXPECT_EQ(UntilAsked(), minutes(2));
  now_ += minutes(2);
  EXPECT_THAT(health_.TryPass(now_, "gpt", 1001), IsNull());
}

TEST_F(AccountHealthTest, QuotaIsAskedForAtItsReset) {
  Fail(QuotaGone(seconds(20)));
  EXPECT_EQ(UntilAsked(), seconds(20));
  EXPECT_EQ(health_.account()->reset, now_ + seconds(20));
}

TEST_F(AccountHealthTest, AResetFarAwayDoesNotKeepAPaidAccountClosed) {
  Ask(QuotaGone(hours(200)));
  for (const int expected : {1, 2, 4, 8, 15, 15}) {
    Ask(QuotaGone(hours(200)));
    EXPECT_EQ(UntilAsked(), minutes(expected));
    EXPECT_EQ(health_.account()->reset, now_ + hours(200));
    now_ += minutes(expected);
  }
}

TEST_F(AccountHealthTest, WhoNamesAResetAndRefusesAgainIsBelievedLess) {
  Fail(QuotaGone(Duration::zero()));
  EXPECT_EQ(UntilAsked(), seconds(1));
  now_ += seconds(1);
  Ask(QuotaGone(Duration::zero()));
  EXPECT_EQ(UntilAsked(), minutes(1));
}

TEST_F(AccountHealthTest, ARefusedRequestOrModelDoesNotCloseTheAccount) {
  Fail(KeyRefused(FailureScope::kRequest));
  EXPECT_FALSE(Refused());
  Fail(QuotaGone(std::nullopt, FailureScope::kModel), "paid");
  EXPECT_TRUE(Refused("paid"));
  EXPECT_FALSE(Refused("free"));
  EXPECT_THAT(health_.account(), IsNull());
  ASSERT_THAT(health_.models(), SizeIs(1));
  EXPECT_EQ(health_.models()[0]->model, "paid");
  now_ += minutes(1);
  ASSERT_THAT(health_.TryPass(now_, "paid", 1000), IsNull());
  EXPECT_TRUE(Refused("paid"));
  health_.OnAccepted("paid", 1000);
  EXPECT_THAT(health_.models(), IsEmpty());
}

TEST_F(AccountHealthTest, OtherFailuresSayNothingOfTheKey) {
  for (const FailureClass cls :
       {FailureClass::kRateLimited, FailureClass::kTooLarge, FailureClass::kOverloaded, FailureClass::kContextOverflow,
        FailureClass::kInvalidRequest, FailureClass::kTransport, FailureClass::kNoStream, FailureClass::kUnusable}) {
    UpstreamFailure failure = KeyRefused();
    failure.cls = cls;
    Fail(failure);
    EXPECT_FALSE(Refused()) << FailureClassName(cls);
  }
}

TEST_F(AccountHealthTest, WhoFindsSomethingWrongWithTheRequestHasTakenTheKey) {
  UpstreamFailure invalid;
  invalid.cls = FailureClass::kInvalidRequest;
  for (int i = 0; i < 5; ++i) {
    Ask(KeyRefused());
    Ask(invalid);
    EXPECT_FALSE(Refused());
  }
  Fail(KeyRefused());
  now_ += minutes(1);
  Ask(invalid);
  EXPECT_THAT(health_.account(), IsNull());
}

TEST_F(AccountHealthTest, WhichSaysNothingOfMoney) {
  UpstreamFailure invalid;
  invalid.cls = FailureClass::kInvalidRequest;
  Ask(QuotaGone());
  Ask(invalid);
  Ask(QuotaGone());
  EXPECT_TRUE(Refused());
}

// Providers can write anything into it, and everybody reads it.
TEST_F(AccountHealthTest, ACodeThatIsNoWordIsNotShown) {
  UpstreamFailure failure = KeyRefused();
  for (const char* code : {"You sent Bearer [redacted]", "a\nb", "\xc3\xa4"}) {
    failure.code = code;
    Fail(failure);
    EXPECT_EQ(health_.account()->code, "");
    health_ = AccountHealth();
  }
  failure.code = std::string(65, 'x');
  Fail(failure);
  EXPECT_EQ(health_.account()->code, "");
}

TEST_F(AccountHealthTest, RemembersOnlySoManyModelsAsCallersMayName) {
  for (int i = 0; i < 5000; ++i) Fail(QuotaGone(std::nullopt, FailureScope::kModel), "model-" + std::to_string(i));
  EXPECT_THAT(health_.models(), SizeIs(100));
  EXPECT_TRUE(Refused("model-0"));
  EXPECT_FALSE(Refused("model-4999")) << "asks each time, which is how it was without memory";
}

// Whatever the upstream says and in whichever order: at most one call asks within any pause, and once the key is good
// and calls come, it is used again within the longest pause.
TEST(AccountHealthProperty, FewAskAndAGoodKeyComesBack) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 generator(seed);
    const auto pick = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(generator); };
    AccountHealth health;
    BootTime now{hours(1)};
    const BootTime mended = now + minutes(pick(120));
    uint64_t call = 0;
    int refusals = 0;
    const BootTime end = mended + minutes(31);
    for (; now < end; now += milliseconds(pick(20'000))) {
      const bool good = now >= mended;
      if (health.TryPass(now, "gpt", ++call) != nullptr) continue;
      switch (pick(9)) {
        case 0:
          health.OnGone(call);
          break;
        default:
          if (good) {
            health.OnAccepted("gpt", call);
          } else {
            health.OnFailed(now, "gpt", KeyRefused(), call);
            ++refusals;
          }
      }
    }
    EXPECT_LE(refusals, 5 + ToSeconds(mended - BootTime(hours(1))) / 60 / 15 + 2);
    EXPECT_THAT(health.account(), IsNull());
  }
}

}  // namespace
}  // namespace holdfast::quota
