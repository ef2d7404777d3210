#include "clients/cli/commands/wait_log.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const BootTime kStart{std::chrono::hours(1)};

quota::v1::Wait Wait(double seconds_left, int position = 1) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  wait.set_seconds(seconds_left);
  wait.set_position(position);
  return wait;
}

TEST(WaitLog, TellsANewWait) {
  WaitLog log;
  EXPECT_TRUE(log.Note(Wait(10), kStart));
  EXPECT_FALSE(log.Note(Wait(10), kStart));
  log.Clear();
  EXPECT_TRUE(log.Note(Wait(10), kStart));
}

TEST(WaitLog, InDoubtShowsNothingAndIsQuietAboutTheSameOne) {
  WaitLog log;
  log.Note(Wait(10), kStart);
  log.Doubt();
  EXPECT_FALSE(log.waiting());
  EXPECT_FALSE(log.Note(Wait(8), kStart + seconds(2)));
  EXPECT_TRUE(log.waiting());
  log.Doubt();
  EXPECT_TRUE(log.Note(Wait(60), kStart + seconds(4)));
  log.Doubt();
  log.Clear();
  EXPECT_TRUE(log.Note(Wait(57), kStart + seconds(7))) << "it was over, so this is another";
}

TEST(WaitLog, InDoubtAboutNothingTheFirstIsNews) {
  WaitLog log;
  log.Doubt();
  EXPECT_TRUE(log.Note(Wait(10), kStart));
}

TEST(WaitLog, KeepsQuietAboutACountdown) {
  WaitLog log;
  log.Note(Wait(30), kStart);
  for (int i = 1; i <= 30; ++i) EXPECT_FALSE(log.Note(Wait(30 - i), kStart + seconds(i))) << i;
}

TEST(WaitLog, TellsANewPositionAtMostOnceASecond) {
  WaitLog log;
  log.Note(Wait(30, 3), kStart);
  EXPECT_FALSE(log.Note(Wait(29.5, 2), kStart + milliseconds(500)));
  EXPECT_TRUE(log.Note(Wait(28.9, 2), kStart + milliseconds(1100)));
}

TEST(WaitLog, TellsThatTheEndMovedByMoreThanATenth) {
  WaitLog log;
  log.Note(Wait(100), kStart);
  EXPECT_FALSE(log.Note(Wait(105), kStart + seconds(2)));
  EXPECT_TRUE(log.Note(Wait(120), kStart + seconds(4)));
}

TEST(WaitLog, TellsAnotherReason) {
  WaitLog log;
  log.Note(Wait(10), kStart);
  quota::v1::Wait backoff = Wait(8);
  backoff.set_reason(quota::v1::WAIT_REASON_BACKOFF);
  EXPECT_TRUE(log.Note(backoff, kStart + seconds(2)));
}

TEST(WaitLog, CountsDownByItself) {
  WaitLog log;
  log.Note(Wait(3.5), kStart);
  EXPECT_DOUBLE_EQ(log.SecondsLeft(kStart + milliseconds(1500)), 2.0);
  EXPECT_DOUBLE_EQ(log.SecondsLeft(kStart + seconds(9)), 0);
}

TEST(WaitLog, SurvivesSecondsThatMakeNoSense) {
  WaitLog log;
  for (const double odd : {-5.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    log.Note(Wait(odd), kStart);
    EXPECT_GE(log.SecondsLeft(kStart), 0) << odd;
  }
}

}  // namespace
}  // namespace holdfast::cli
