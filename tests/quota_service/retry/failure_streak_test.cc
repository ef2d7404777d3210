#include "quota_service/retry/failure_streak.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr BootTime kStart{hours(5)};

TEST(FailureStreak, IsSaidAtItsFirstFailureAndOnce) {
  FailureStreak streak;
  EXPECT_TRUE(streak.OnFailed(kStart));
  EXPECT_FALSE(streak.OnFailed(kStart + seconds(1)));
  EXPECT_FALSE(streak.OnFailed(kStart + hours(1)));
  EXPECT_EQ(streak.OnAnswered(), 3);
}

TEST(FailureStreak, EndsOnce) {
  FailureStreak streak;
  EXPECT_EQ(streak.OnAnswered(), 0);
  streak.OnFailed(kStart);
  EXPECT_EQ(streak.OnAnswered(), 1);
  EXPECT_EQ(streak.OnAnswered(), 0);
}

TEST(FailureStreak, OfAnUpstreamThatFailsNowAndThenIsSaidOnceAMinute) {
  FailureStreak streak;
  int said = 0;
  int ended = 0;
  for (int second = 0; second < 120; ++second) {
    if (streak.OnFailed(kStart + seconds(second))) ++said;
    if (streak.OnAnswered() > 0) ++ended;
  }
  EXPECT_EQ(said, 2);
  EXPECT_EQ(ended, 2);
}

TEST(FailureStreak, ThatBeganInTheQuietMinuteIsSaidWhenItLastsLonger) {
  FailureStreak streak;
  streak.OnFailed(kStart);
  streak.OnAnswered();
  EXPECT_FALSE(streak.OnFailed(kStart + seconds(30)));
  EXPECT_TRUE(streak.OnFailed(kStart + seconds(60)));
  EXPECT_EQ(streak.OnAnswered(), 2);
}

}  // namespace
}  // namespace holdfast::quota
