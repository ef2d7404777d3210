#include "quota_service/call/wait_record.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

using std::chrono::seconds;

BootTime At(int second) { return BootTime() + seconds(second); }
WaitEstimate Of(Duration wait) {
  WaitEstimate estimate;
  estimate.wait = wait;
  estimate.position = 3;
  return estimate;
}

TEST(WaitRecord, AddsUpWhatWasWaitedAndNothingElse) {
  WaitRecord record;
  EXPECT_EQ(record.Total(At(50)), Duration::zero());
  record.Begin(At(100));
  EXPECT_EQ(record.Total(At(107)), seconds(7));
  record.Begin(At(110));  // another one right behind it
  EXPECT_EQ(record.began(), At(110));
  EXPECT_EQ(record.Total(At(112)), seconds(12));
  record.End(At(115));
  EXPECT_EQ(record.Total(At(900)), seconds(15));
  record.End(At(900));
  record.Begin(At(1000));
  EXPECT_EQ(record.Total(At(1001)), seconds(16));
}

TEST(WaitRecord, WhatIsLeftOfAWaitGoesDownToZero) {
  WaitRecord record;
  record.Begin(At(0));
  EXPECT_FALSE(record.Left(At(1)));
  record.Hear(Of(seconds(10)), At(2));
  EXPECT_EQ(record.Left(At(5))->wait, seconds(7));
  EXPECT_EQ(record.Left(At(5))->position, 3);
  EXPECT_EQ(record.Left(At(50))->wait, Duration::zero());
  EXPECT_EQ(record.heard()->wait, seconds(10));
}

TEST(WaitRecord, WhatWasHeardOutlivesItsWaitAndNotTheBeginningOfAnother) {
  WaitRecord record;
  record.Begin(At(0));
  record.Hear(Of(seconds(10)), At(0));
  record.End(At(10));
  EXPECT_TRUE(record.heard());
  record.Begin(At(20));
  EXPECT_FALSE(record.heard());
}

TEST(WaitRecord, TheFirstAnnouncementIsJudgedOnce) {
  WaitRecord record;
  EXPECT_FALSE(record.TakeForecastError(At(0)));
  record.Begin(At(0));
  record.Announce(seconds(10), At(2));   // 12 in all
  record.Announce(seconds(100), At(3));  // a later one does not count
  record.Begin(At(8));                   // refused, and queued again
  record.End(At(15));
  EXPECT_DOUBLE_EQ(record.TakeForecastError(At(40)).value(), 3);
  EXPECT_FALSE(record.TakeForecastError(At(41)));
}

}  // namespace
}  // namespace holdfast::quota
