#include "common/wait/wait_left.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

quota::v1::Wait Left(double seconds_left) {
  quota::v1::Wait wait;
  wait.set_seconds(10);
  wait.set_least_seconds(4);
  wait.set_most_seconds(20);
  SetSecondsLeft(seconds_left, &wait);
  return wait;
}

TEST(SetSecondsLeft, TheIntervalComesNearerWithTheEnd) {
  EXPECT_EQ(Left(7).seconds(), 7);
  EXPECT_EQ(Left(7).least_seconds(), 1);
  EXPECT_EQ(Left(7).most_seconds(), 17);
  EXPECT_EQ(Left(5).least_seconds(), 0);
}

TEST(SetSecondsLeft, AWaitThatIsOverHasNoneLeft) {
  EXPECT_EQ(Left(-3).seconds(), 0);
  EXPECT_EQ(Left(-3).most_seconds(), 10);
}

TEST(SetSecondsLeft, NothingMakesItLongerThanItWas) {
  EXPECT_EQ(Left(11).seconds(), 10);
  EXPECT_EQ(Left(11).most_seconds(), 20);
}

TEST(SetSecondsLeft, AnIntervalThatIsNotKnownStaysSo) {
  quota::v1::Wait wait;
  wait.set_seconds(10);
  SetSecondsLeft(3, &wait);
  EXPECT_EQ(wait.seconds(), 3);
  EXPECT_EQ(wait.most_seconds(), 0);
}

}  // namespace
}  // namespace holdfast
