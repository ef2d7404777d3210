#include "quota_service/admission/foreign_use.h"

#include <gmock/gmock.h>

#include <random>

namespace holdfast::quota {
namespace {

using std::chrono::seconds;

TEST(ForeignUse, LeavesNoRoomWhereNobodyElseWasSeen) {
  ForeignUse foreign;
  EXPECT_EQ(foreign.Margin(seconds(60)), 0);
  for (int i = 0; i < 300; ++i) foreign.Observe(seconds(5), {0, 0});
  EXPECT_EQ(foreign.Margin(seconds(60)), 0);
  EXPECT_EQ(foreign.rate(), 0);
}

TEST(ForeignUse, LearnsARateAndLeavesRoomForIt) {
  ForeignUse foreign;
  for (int i = 0; i < 100; ++i) foreign.Observe(seconds(5), {500, 500});
  EXPECT_NEAR(foreign.rate(), 100, 1);
  EXPECT_NEAR(foreign.Margin(seconds(20)), 2000, 20);
}

TEST(ForeignUse, LeavesRoomForBurstsThatAboutOneSendInTwoHundredExceeds) {
  // Bursts of 4,000 at exponential distances, 6 s on average, as a reader sees them who looks at random times.
  std::mt19937_64 random(5);
  std::exponential_distribution<double> distance(1.0 / 6);
  std::uniform_real_distribution<double> look(1, 40);
  ForeignUse foreign;
  int exceeded = 0;
  constexpr int kLooks = 20'000;
  double burst_at = distance(random);
  for (int i = 0; i < kLooks; ++i) {
    const double interval = look(random);
    double amount = 0;
    for (; burst_at < interval; burst_at += distance(random)) amount += 4000;
    burst_at -= interval;
    const Duration unread = FromSeconds(interval);
    if (i > 200 && amount > foreign.Margin(unread)) ++exceeded;
    foreign.Observe(unread, {amount, amount, amount});
  }
  EXPECT_LE(exceeded, kLooks * 12 / 1000);
  EXPECT_GE(exceeded, kLooks * 1 / 1000) << "more room than it needs";
}

TEST(ForeignUse, IsNotBelievedUntilItIsProven) {
  ForeignUse foreign;
  for (int i = 0; i < 50; ++i) foreign.Observe(seconds(5), {0, 20'000});
  EXPECT_EQ(foreign.Margin(seconds(5)), 0) << "requests of ours that overtook each other";
  for (int i = 0; i < 2; ++i) foreign.Observe(seconds(5), {4000, 4000});
  EXPECT_EQ(foreign.Margin(seconds(5)), 0) << "that may be a job that ran once";
  foreign.Observe(seconds(5), {4000, 4000});
  EXPECT_GT(foreign.Margin(seconds(5)), 0);
}

TEST(ForeignUse, IsForgottenWhenTheOthersAreGone) {
  ForeignUse foreign;
  for (int i = 0; i < 50; ++i) foreign.Observe(seconds(5), {4000, 4000});
  for (int i = 0; i < 200; ++i) foreign.Observe(seconds(5), {0, 0});
  EXPECT_EQ(foreign.Margin(seconds(5)), 0);
}

TEST(ForeignUse, AnAnswerThatTellsMoreLaterCountsOnce) {
  ForeignUse foreign;
  for (int i = 0; i < 2; ++i) foreign.Observe(seconds(10), {1000, 1000});
  const ForeignUse::Serial serial = foreign.Observe(seconds(10), {0, 0});
  foreign.Amend(serial, {1000, 1000});
  EXPECT_NEAR(foreign.rate(), 100, 1);
  for (int i = 0; i < 200; ++i) foreign.Observe(seconds(10), {0, 0});
  foreign.Amend(serial, {1000, 1000});
  EXPECT_EQ(foreign.rate(), 0) << "it is long forgotten";
}

}  // namespace
}  // namespace holdfast::quota
