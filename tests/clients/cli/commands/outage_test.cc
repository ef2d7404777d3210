#include "clients/cli/commands/outage.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = Outage::Step;

const BootTime kStart{std::chrono::hours(1)};

TEST(Outage, IsQuietForASecondThenSaysSoOnce) {
  Outage outage(seconds(5));
  EXPECT_EQ(outage.OnFailure(kStart), Step::kRetry);
  EXPECT_EQ(outage.OnFailure(kStart + milliseconds(999)), Step::kRetry);
  EXPECT_EQ(outage.OnFailure(kStart + seconds(1)), Step::kAnnounceAndRetry);
  EXPECT_EQ(outage.OnFailure(kStart + seconds(2)), Step::kRetry);
}

TEST(Outage, GivesUpAtItsBound) {
  Outage outage(seconds(5));
  outage.OnFailure(kStart);
  EXPECT_EQ(outage.OnFailure(kStart + milliseconds(4999)), Step::kAnnounceAndRetry);
  EXPECT_EQ(outage.OnFailure(kStart + seconds(5)), Step::kGiveUp);
}

TEST(Outage, BeginsAnewAfterASuccess) {
  Outage outage(seconds(5));
  outage.OnFailure(kStart);
  outage.OnFailure(kStart + seconds(2));
  EXPECT_TRUE(outage.OnSuccess());
  EXPECT_FALSE(outage.OnSuccess());
  EXPECT_EQ(outage.OnFailure(kStart + seconds(60)), Step::kRetry);
  EXPECT_EQ(outage.Left(kStart + seconds(61)), seconds(4));
}

TEST(Outage, ASuccessAfterAQuietOneIsQuietToo) {
  Outage outage(seconds(5));
  outage.OnFailure(kStart);
  EXPECT_FALSE(outage.OnSuccess());
}

TEST(Outage, PausesGrowToALimit) {
  Outage outage(seconds(100));
  Duration last{};
  for (int i = 0; i < 20; ++i) {
    outage.OnFailure(kStart);
    EXPECT_GE(outage.Pause(), last);
    last = outage.Pause();
  }
  EXPECT_EQ(last, milliseconds(400));
}

}  // namespace
}  // namespace holdfast::cli
