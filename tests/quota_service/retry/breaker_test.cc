#include "quota_service/retry/breaker.h"

#include <gmock/gmock.h>

#include <random>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class BreakerTest : public testing::Test {
 protected:
  // So many calls, one after the other, fail.
  void Fail(int calls) {
    for (int i = 0; i < calls; ++i) breaker_.OnFailed(now_, ++call_);
  }
  // The next probe goes at its moment, and fails.
  Duration FailProbe() {
    const Duration wait = breaker_.NextProbe() - now_;
    now_ = breaker_.NextProbe();
    EXPECT_TRUE(breaker_.TryPass(now_, ++call_));
    breaker_.OnFailed(now_, call_);
    return wait;
  }
  bool Closed() const { return breaker_.state() == Breaker::State::kClosed; }

  BootTime now_{hours(5)};
  Breaker breaker_;
  uint64_t call_ = 0;
};

TEST_F(BreakerTest, IsClosedUntilFiveCallsFailInARow) {
  Fail(4);
  EXPECT_TRUE(Closed());
  EXPECT_TRUE(breaker_.TryPass(now_, 1000));
  Fail(1);
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
  EXPECT_FALSE(breaker_.TryPass(now_, 1000));
}

TEST_F(BreakerTest, AnAnswerInBetweenBeginsTheRowAnew) {
  Fail(4);
  breaker_.OnAnswered(now_, 1000);
  Fail(4);
  EXPECT_TRUE(Closed());
}

// A request that the upstream cannot digest is sent again and again; it must not hold everybody else.
TEST_F(BreakerTest, OneCallAloneNeverOpensIt) {
  for (int i = 0; i < 1000; ++i) {
    breaker_.OnFailed(now_, 7);
    now_ += seconds(2);
  }
  EXPECT_TRUE(Closed());
}

TEST_F(BreakerTest, AGreatShareOfFailuresOpensItThoughSomeAreAnswered) {
  for (int i = 0; i < 4; ++i) {
    Fail(4);
    breaker_.OnAnswered(now_, 1000);
  }
  EXPECT_TRUE(Closed()) << "16 of 20 that ended; the next failure is over the share";
  Fail(1);
  EXPECT_FALSE(Closed());
}

TEST_F(BreakerTest, AFewFailuresAmongManyAnswersDoNotOpenIt) {
  for (int i = 0; i < 1000; ++i) {
    Fail(3);
    breaker_.OnAnswered(now_, 1000);
    now_ += milliseconds(10);
  }
  EXPECT_TRUE(Closed());
}

TEST_F(BreakerTest, OldFailuresAreForgotten) {
  for (int i = 0; i < 4; ++i) {
    Fail(4);
    breaker_.OnAnswered(now_, 1000);
    now_ += seconds(4);
  }
  Fail(1);
  EXPECT_TRUE(Closed());
}

TEST_F(BreakerTest, LetsOneProbeThroughAtATime) {
  Fail(5);
  EXPECT_EQ(breaker_.NextProbe(), now_ + seconds(1));
  now_ += seconds(1);
  EXPECT_TRUE(breaker_.TryPass(now_, 1000));
  EXPECT_EQ(breaker_.state(), Breaker::State::kHalfOpen);
  EXPECT_TRUE(breaker_.TryPass(now_, 1000)) << "it stays the probe";
  EXPECT_FALSE(breaker_.TryPass(now_, 1001));
}

TEST_F(BreakerTest, ThePauseDoublesUpToHalfAMinute) {
  Fail(5);
  for (const int expected : {1, 2, 4, 8, 16, 30, 30}) EXPECT_EQ(FailProbe(), seconds(expected));
}

TEST_F(BreakerTest, AnAnsweredProbeClosesItAndThePausesBeginAnew) {
  Fail(5);
  for (int i = 0; i < 5; ++i) FailProbe();
  now_ = breaker_.NextProbe();
  ASSERT_TRUE(breaker_.TryPass(now_, 1000));
  breaker_.OnAnswered(now_, 1000);
  EXPECT_TRUE(Closed());
  Fail(4);
  EXPECT_TRUE(Closed());
  Fail(1);
  EXPECT_EQ(breaker_.NextProbe(), now_ + seconds(1));
}

// Reasoning takes minutes before the first output; nobody is held for that.
TEST_F(BreakerTest, HeadersCloseItButThePausesGrowWhereTheyAreFollowedByFailures) {
  Fail(5);
  now_ += seconds(1);
  ASSERT_TRUE(breaker_.TryPass(now_, 1000));
  breaker_.OnHeaders(1000);
  EXPECT_TRUE(Closed());
  breaker_.OnFailed(now_, 1000);
  Fail(4);
  EXPECT_FALSE(Closed());
  EXPECT_EQ(breaker_.NextProbe(), now_ + seconds(2));
}

TEST_F(BreakerTest, HeadersOfOtherCallsSayNothing) {
  Fail(5);
  breaker_.OnHeaders(1000);
  EXPECT_FALSE(Closed());
}

TEST_F(BreakerTest, AnswersAndFailuresOfCallsThatWereSentBeforeChangeNothing) {
  Fail(5);
  const BootTime next = breaker_.NextProbe();
  Fail(100);
  breaker_.OnAnswered(now_, 1000);
  EXPECT_FALSE(Closed());
  EXPECT_EQ(breaker_.NextProbe(), next);
}

TEST_F(BreakerTest, ASilentProbeMakesRoomForAnotherAndIsStillHeard) {
  Fail(5);
  now_ += seconds(1);
  ASSERT_TRUE(breaker_.TryPass(now_, 1000));
  now_ = breaker_.NextProbe();
  ASSERT_TRUE(breaker_.TryPass(now_, 1001));
  EXPECT_TRUE(breaker_.TryPass(now_, 1000));
  breaker_.OnAnswered(now_, 1000);
  EXPECT_TRUE(Closed());
}

TEST_F(BreakerTest, AProbeThatIsGoneGivesItsTurnToAnother) {
  Fail(5);
  now_ += seconds(1);
  ASSERT_TRUE(breaker_.TryPass(now_, 1000));
  breaker_.OnGone(1000);
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
  EXPECT_TRUE(breaker_.TryPass(now_, 1001));
}

// Its caller's patience ends before the next probe: it is sent rather than failed, but not into the moment of failure.
TEST_F(BreakerTest, WhoCanWaitNoLongerGoesBeforeTheProbesMoment) {
  Fail(5);
  for (int i = 0; i < 5; ++i) FailProbe();
  ASSERT_GT(breaker_.NextProbe(), now_ + seconds(20));
  EXPECT_FALSE(breaker_.TryPassAtLast(now_ + milliseconds(900), 1000));
  EXPECT_TRUE(breaker_.TryPassAtLast(now_ + seconds(1), 1000));
  EXPECT_FALSE(breaker_.TryPassAtLast(now_ + seconds(2), 1001)) << "one at a time";
  EXPECT_FALSE(breaker_.TryPass(now_ + seconds(2), 1002));
}

TEST_F(BreakerTest, TimeThatGoesBackwardsIsHarmless) {
  Fail(3);
  now_ -= hours(1);
  Fail(2);
  EXPECT_FALSE(Closed());
  now_ += hours(1) + seconds(1);
  EXPECT_TRUE(breaker_.TryPass(now_, 1000));
}

// Whatever calls do: while it is open, probes are the only ones that pass, at most one within each pause but for those
// whose probe is gone; and a good upstream that is asked is open to all within the longest pause.
TEST(BreakerProperty, OneProbeAtATimeAndNobodyIsHeldForEver) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 generator(seed);
    const auto pick = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(generator); };
    Breaker breaker;
    BootTime now{hours(1)};
    const BootTime mended = now + seconds(60 + pick(600));
    const BootTime end = mended + seconds(62);
    uint64_t call = 0;
    std::vector<uint64_t> out;  // sent and not ended
    int passed = 0;             // while it was open
    int failed = 0;
    int gone = 0;
    for (; now < end; now += milliseconds(1 + pick(400))) {
      const bool good = now >= mended;
      const bool open = breaker.state() != Breaker::State::kClosed;
      if (breaker.TryPass(now, ++call)) {
        out.push_back(call);
        if (open) ++passed;
      }
      while (!out.empty() && pick(2) == 0) {
        const size_t which = static_cast<size_t>(pick(static_cast<int64_t>(out.size()) - 1));
        const uint64_t ended = out[which];
        out.erase(out.begin() + static_cast<ptrdiff_t>(which));
        if (pick(9) == 0) {
          breaker.OnGone(ended);
          ++gone;
        } else if (good) {
          breaker.OnHeaders(ended);
          breaker.OnAnswered(now, ended);
        } else {
          breaker.OnFailed(now, ended);
          ++failed;
        }
      }
    }
    EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
    EXPECT_GT(failed, 0);
    // 1 + 2 + 4 + 8 + 16 s, and then every half minute.
    EXPECT_LE(passed, 6 + ToSeconds(end - BootTime(hours(1))) / 30 + gone);
  }
}

}  // namespace
}  // namespace holdfast::quota
