#include "common/base/clock.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Clock, ConvertsSecondsBothWays) {
  EXPECT_EQ(FromSeconds(3.646), milliseconds(3646));
  EXPECT_EQ(FromSeconds(-1.5), milliseconds(-1500));
  EXPECT_DOUBLE_EQ(ToSeconds(milliseconds(250)), 0.25);
}

TEST(Clock, SaturatesWhereNanosecondsEnd) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double huge : {1e10, 1e300, infinity}) {
    EXPECT_GT(FromSeconds(huge), hours(24 * 365 * 280)) << huge;
    EXPECT_EQ(FromSeconds(-huge), -FromSeconds(huge)) << huge;
  }
}

TEST(Clock, TakesNoNumberForZero) {
  EXPECT_EQ(FromSeconds(std::numeric_limits<double>::quiet_NaN()), Duration::zero());
}

TEST(Clock, LeavesRoomToAddTheLongestDurationToNow) {
  EXPECT_GT(BootClock::now() + FromSeconds(1e300), BootClock::now() + hours(24 * 365 * 280));
}

TEST(Clock, BootClockNeverGoesBack) {
  BootTime last = BootClock::now();
  for (int i = 0; i < 1000; ++i) {
    const BootTime now = BootClock::now();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace holdfast
