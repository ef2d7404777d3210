#include "quota_service/estimate/output_cap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace holdfast::quota {
namespace {

TEST(OutputCap, IsModestUntilAnswersAreKnown) {
  EXPECT_EQ(SizeOutputCap({}, 35'000, kLargestOutputCap), 4096);
  EXPECT_EQ(SizeOutputCap(std::vector<int32_t>(18, 100), 35'000, kLargestOutputCap), 4096);
}

TEST(OutputCap, StaysBetweenItsBounds) {
  EXPECT_EQ(SizeOutputCap(std::vector<int32_t>(200, 10), 35'000, kLargestOutputCap), kLeastOutputCap);
  EXPECT_EQ(SizeOutputCap(std::vector<int32_t>(200, 900'000), 35'000, kLargestOutputCap), kLargestOutputCap);
  EXPECT_EQ(SizeOutputCap({}, 35'000, 300), 300);
  EXPECT_EQ(SizeOutputCap(std::vector<int32_t>(200, 10), 35'000, 300), 300);
}

TEST(OutputCap, LeavesRoomAboveWhatAnswersTake) {
  EXPECT_EQ(SizeOutputCap(std::vector<int32_t>(200, 2000), 35'000, kLargestOutputCap), 2500);
}

TEST(OutputCap, CutsRarelyWhereAskingAgainIsDear) {
  // One answer in fifty is long.
  std::vector<int32_t> outputs(196, 1000);
  outputs.insert(outputs.end(), 4, 8000);
  EXPECT_EQ(SizeOutputCap(outputs, 2'000, kLargestOutputCap), 1250);
  EXPECT_EQ(SizeOutputCap(outputs, 2'000'000, kLargestOutputCap), 10'000);
}

TEST(OutputCap, IsFarAboveAllThatWasSeenWhereACutAnswerIsTheLast) {
  EXPECT_EQ(SafeOutputCap({}, 32'000), 32'000);
  EXPECT_EQ(SafeOutputCap(std::vector<int32_t>(98, 700), 32'000), 32'000);
  std::vector<int32_t> outputs(99, 700);
  outputs[50] = 3000;
  EXPECT_EQ(SafeOutputCap(outputs, 32'000), 6'000);
  EXPECT_EQ(SafeOutputCap(outputs, 5'000), 5'000);
  EXPECT_EQ(SafeOutputCap(std::vector<int32_t>(200, 10), 32'000), kLeastOutputCap);
}

TEST(OutputCap, RisesFourfoldAndThenAllTheWay) {
  EXPECT_EQ(RaiseOutputCap(2000, 0, kLargestOutputCap), 8000);
  EXPECT_EQ(RaiseOutputCap(8000, 1, kLargestOutputCap), kLargestOutputCap);
  EXPECT_EQ(RaiseOutputCap(10'000, 0, kLargestOutputCap), kLargestOutputCap);
  EXPECT_EQ(RaiseOutputCap(kLargestOutputCap, 0, kLargestOutputCap), kLargestOutputCap);
}

// What of the charge the model really used, where the gate charges input and cap for good and an answer that was cut is
// asked for again.
double Useful(bool sized, double sigma) {
  std::mt19937 random(17);
  std::lognormal_distribution<double> answers(std::log(500) - sigma * sigma / 2, sigma);
  std::uniform_int_distribution<int64_t> inputs(20'000, 50'000);
  std::vector<int32_t> known;
  double used = 0;
  double charged = 0;
  for (int call = 0; call < 5000; ++call) {
    const int64_t input = inputs(random);
    const auto output = static_cast<int64_t>(answers(random)) + 1;
    int64_t cap = sized ? SizeOutputCap(known, input, kLargestOutputCap) : 32'000;
    charged += static_cast<double>(input + cap);
    for (int raises = 0; output > cap && cap < kLargestOutputCap; ++raises) {
      cap = RaiseOutputCap(cap, raises, kLargestOutputCap);
      charged += static_cast<double>(input + cap);
    }
    used += static_cast<double>(input + std::min(output, cap));
    known.push_back(static_cast<int32_t>(output));
    if (known.size() > 256) known.erase(known.begin());
  }
  return used / charged;
}

TEST(OutputCap, WhereTheGateKeepsItCostsAFewPercentInsteadOfHalf) {
  EXPECT_NEAR(Useful(false, 0.6), 0.53, 0.01);
  EXPECT_GE(Useful(true, 0.5), 0.95);
  EXPECT_GE(Useful(true, 0.8),
            0.92);  // one answer in a hundred is six times the median: cap or repetition must pay for it
}

}  // namespace
}  // namespace holdfast::quota
