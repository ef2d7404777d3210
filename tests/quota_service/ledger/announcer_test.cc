#include "quota_service/ledger/announcer.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AnnouncerTest : public testing::Test {
 protected:
  // Whether it tells, `since` after the start, that the wait ends at `end`, counted from the start too.
  bool Tells(Duration since, Duration end, int position = 1,
             WaitEstimate::Reason reason = WaitEstimate::Reason::kLimit) {
    WaitEstimate estimate;
    estimate.reason = reason;
    estimate.wait = end - since;
    estimate.position = position;
    return announcer_.ShouldTell(BootTime(seconds(12'345)) + since, estimate);
  }

  Announcer announcer_;
};

TEST_F(AnnouncerTest, TellsAtOnceAndNotAgainWhileNothingChanges) {
  EXPECT_TRUE(Tells({}, seconds(60)));
  for (int second = 1; second < 60; ++second) EXPECT_FALSE(Tells(seconds(second), seconds(60))) << second;
}

TEST_F(AnnouncerTest, TellsAtMostOnceASecondWhateverChanges) {
  EXPECT_TRUE(Tells({}, seconds(60), 3));
  EXPECT_FALSE(Tells(milliseconds(999), seconds(600), 1, WaitEstimate::Reason::kPaused));
  EXPECT_TRUE(Tells(seconds(1), seconds(600), 1, WaitEstimate::Reason::kPaused));
  EXPECT_FALSE(Tells(milliseconds(1999), seconds(60), 3));
  EXPECT_TRUE(Tells(seconds(2), seconds(60), 3));
}

TEST_F(AnnouncerTest, TellsWhenTheEndMovesByMoreThanATenthOfWhatIsLeft) {
  EXPECT_TRUE(Tells({}, seconds(60)));
  EXPECT_FALSE(Tells(seconds(10), seconds(65)));
  EXPECT_FALSE(Tells(seconds(10), seconds(56)));
  EXPECT_TRUE(Tells(seconds(10), seconds(66)));
  EXPECT_TRUE(Tells(seconds(20), seconds(60)));
}

TEST_F(AnnouncerTest, SmallMovesAddUp) {
  EXPECT_TRUE(Tells({}, seconds(100)));
  EXPECT_FALSE(Tells(seconds(1), seconds(104)));
  EXPECT_FALSE(Tells(seconds(2), seconds(108)));
  EXPECT_TRUE(Tells(seconds(3), seconds(116))) << "16 of 113";
}

TEST_F(AnnouncerTest, DoesNotTellOfMovesThatNobodyFeels) {
  EXPECT_TRUE(Tells({}, milliseconds(2000)));
  EXPECT_FALSE(Tells(milliseconds(1500), milliseconds(2200)));
  EXPECT_TRUE(Tells(milliseconds(1500), milliseconds(2201)));
}

TEST_F(AnnouncerTest, TellsOfANewPositionOrReason) {
  EXPECT_TRUE(Tells({}, seconds(60), 3));
  EXPECT_TRUE(Tells(seconds(1), seconds(60), 2));
  EXPECT_FALSE(Tells(seconds(2), seconds(60), 2));
  EXPECT_TRUE(Tells(seconds(3), seconds(60), 2, WaitEstimate::Reason::kLearning));
}

}  // namespace
}  // namespace holdfast::quota
