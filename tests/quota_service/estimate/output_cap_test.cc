#include "quota_service/estimate/output_cap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace holdfast::quota {
namespace {

using Answers = std::vector<int32_t>;

int64_t CapFor(Answers alike, int64_t input, int64_t most = kLargestOutputCap) {
  return SizeOutputCap({.alike = std::move(alike)}, input, most);
}

Answers Spread(int32_t least, int32_t most, int count) {
  Answers answers;
  for (int i = 1; i <= count; ++i) answers.push_back(least + (most - least) * i / count);
  return answers;
}

TEST(OutputCap, IsModestUntilAnswersAreKnown) {
  EXPECT_EQ(CapFor({}, 35'000), 4096);
  EXPECT_EQ(CapFor(Answers(18, 100), 35'000), 4096);
  EXPECT_EQ(SizeOutputCap({.own = Answers(18, 100)}, 35'000, kLargestOutputCap), 4096);
}

TEST(OutputCap, StaysBetweenItsBounds) {
  EXPECT_EQ(CapFor(Answers(200, 10), 35'000), kLeastOutputCap);
  EXPECT_EQ(CapFor(Answers(200, 900'000), 35'000), kLargestOutputCap);
  EXPECT_EQ(CapFor({}, 35'000, 300), 300);
  EXPECT_EQ(CapFor(Answers(200, 10), 35'000, 300), 300);
}

TEST(OutputCap, LeavesRoomAboveWhatAnswersTakeLessTheMoreAreKnown) {
  EXPECT_EQ(CapFor(Answers(19, 2000), 35'000), 2500 + 16);
  EXPECT_EQ(CapFor(Answers(190, 2000), 35'000), 2050 + 16);
}

TEST(OutputCap, CutsRarelyWhereAskingAgainIsDear) {
  // One answer in fifty is long.
  Answers outputs(186, 2000);
  outputs.insert(outputs.end(), 4, 8000);
  EXPECT_EQ(CapFor(outputs, 2'000), 2050 + 16);
  EXPECT_EQ(CapFor(outputs, 2'000'000), 8200 + 16);
}

TEST(OutputCap, OfASessionWithShortAnswersAmongLongOnesIsShort) {
  EXPECT_EQ(SizeOutputCap({.own = Answers(32, 300), .alike = Answers(256, 8000)}, 35'000, kLargestOutputCap),
            kLeastOutputCap);
}

TEST(OutputCap, OfASessionWithLongAnswersAmongShortOnesIsLong) {
  EXPECT_GT(SizeOutputCap({.own = Answers(32, 8000), .alike = Answers(256, 300)}, 35'000, kLargestOutputCap), 8000);
}

TEST(OutputCap, OfASessionLikeOthersIsTheirsWhoseManyAnswersTellMoreThanItsFew) {
  const Answers alike = Spread(90, 1'800, 256);
  EXPECT_EQ(SizeOutputCap({.own = Spread(90, 1'600, 24), .alike = alike}, 35'000, kLargestOutputCap),
            CapFor(alike, 35'000));
}

TEST(OutputCap, OfASessionIsItsOwnWhereNothingElseIsKnown) {
  EXPECT_EQ(SizeOutputCap({.own = Answers(19, 2000)}, 35'000, kLargestOutputCap), 2500 + 16);
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
    int64_t cap = sized ? CapFor(known, input) : 32'000;
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
  EXPECT_GE(Useful(true, 0.5), 0.955);
  EXPECT_GE(Useful(true, 0.8),
            0.92);  // one answer in a hundred is six times the median: cap or repetition must pay for it
}

}  // namespace
}  // namespace holdfast::quota
