#include "quota_service/retry/backoff.h"

#include <gmock/gmock.h>

#include <limits>
#include <random>

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Ge;
using testing::Le;

constexpr BackoffPolicy kPolicy{.base = seconds(1), .cap = seconds(30)};

Uniform Always(double value) {
  return [value] { return value; };
}

TEST(FullJitter, DoublesItsRangeUpToTheCap) {
  const auto half = Always(0.5);
  EXPECT_EQ(FullJitter(kPolicy, 0, half), milliseconds(500));
  EXPECT_EQ(FullJitter(kPolicy, 1, half), seconds(1));
  EXPECT_EQ(FullJitter(kPolicy, 4, half), seconds(8));
  EXPECT_EQ(FullJitter(kPolicy, 5, half), seconds(15));
  EXPECT_EQ(FullJitter(kPolicy, 1'000'000, half), seconds(15));
  EXPECT_EQ(FullJitter(kPolicy, std::numeric_limits<int>::max(), half), seconds(15));
}

TEST(FullJitter, ReachesDownToZero) { EXPECT_EQ(FullJitter(kPolicy, 7, Always(0)), Duration::zero()); }

TEST(FullJitter, TakesANegativeAttemptAsTheFirst) {
  EXPECT_EQ(FullJitter(kPolicy, -3, Always(0.5)), milliseconds(500));
}

TEST(JitteredLowerBound, SpreadsFromTheMinimumToHalfAsMuchAgain) {
  EXPECT_EQ(JitteredLowerBound(seconds(10), Always(0)), seconds(10));
  EXPECT_EQ(JitteredLowerBound(seconds(10), Always(0.5)), milliseconds(12'500));
  EXPECT_LT(JitteredLowerBound(seconds(10), Always(0.999)), seconds(15));
  EXPECT_EQ(JitteredLowerBound(-seconds(1), Always(0.5)), Duration::zero());
}

TEST(NextBackoff, NeverComesSoonerThanTheServerAsked) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> distribution(0, 1);
  const Uniform uniform = [&] { return distribution(random); };
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_THAT(NextBackoff(kPolicy, 0, seconds(20), uniform), AllOf(Ge(seconds(20)), Le(seconds(30))));
  }
}

TEST(NextBackoff, GrowsEvenWhereTheServerAsksForAlmostNothing) {
  EXPECT_EQ(NextBackoff(kPolicy, 10, milliseconds(1), Always(0.5)), seconds(15));
}

TEST(NextBackoff, IsFullJitterWhereTheServerSaysNothing) {
  EXPECT_EQ(NextBackoff(kPolicy, 2, std::nullopt, Always(0.25)), seconds(1));
}

}  // namespace
}  // namespace holdfast::quota
