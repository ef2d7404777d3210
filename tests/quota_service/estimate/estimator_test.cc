#include "quota_service/estimate/estimator.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace holdfast::quota {
namespace {

const EstimateKey kAlice{"openai/m", "web/alice", false};

RequestShape Prose(double text = 10'000) {
  RequestShape shape;
  shape.text = text;
  shape.shares[static_cast<size_t>(TextClass::kWords)] = 1;
  return shape;
}

RequestShape Han(double text = 10'000) {
  RequestShape shape;
  shape.text = text;
  shape.shares[static_cast<size_t>(TextClass::kCjk)] = 1;
  return shape;
}

TEST(Estimator, StartsFromSeeds) {
  const Estimate estimate = Estimator().For(Prose(), kAlice);
  EXPECT_EQ(estimate.input, 10'000);
  EXPECT_EQ(estimate.input_q90, 11'500);
  EXPECT_EQ(estimate.input_most, 12'000);
  EXPECT_EQ(estimate.output_q90, 2000);
  EXPECT_EQ(estimate.most(), 14'000);
}

TEST(Estimator, ASessionsOwnHistoryCountsFromItsFirstAnswer) {
  Estimator estimator;
  estimator.Learn(Prose(), kAlice, 13'000, 100);
  EXPECT_EQ(estimator.For(Prose(20'000), kAlice).input, 26'000);
  EXPECT_EQ(estimator.For(Prose(20'000), {"openai/m", "web/bob", false}).input, 20'188);  // one of 32 says 1.3
  EXPECT_EQ(estimator.For(Prose(20'000), {"kimi/m", "web/alice", false}).input, 20'000);  // another tokenizer
}

TEST(Estimator, OneFalseCountMovesNothing) {
  Estimator estimator;
  for (int i = 0; i < 5; ++i) estimator.Learn(Prose(), kAlice, 11'000, 100);
  estimator.Learn(Prose(), kAlice, 70'000, 100);
  EXPECT_EQ(estimator.For(Prose(), kAlice).input, 11'000);
}

TEST(Estimator, LikeRequestsOfAModelTeachANewSession) {
  Estimator estimator;
  for (int i = 0; i < 40; ++i) {
    estimator.Learn(Prose(), {"openai/m", "", false}, 9'000, std::nullopt);
    estimator.Learn(Han(), {"openai/m", "", false}, 14'000, std::nullopt);
  }
  EXPECT_EQ(estimator.For(Prose(), kAlice).input, 9'000);
  EXPECT_EQ(estimator.For(Han(), kAlice).input, 14'000);
  EXPECT_EQ(estimator.For(Han(), kAlice).input_q90, 14'000);
}

TEST(Estimator, CountsThatCannotBeTrueAreIgnored) {
  Estimator estimator;
  for (int64_t input : {int64_t{0}, int64_t{-5}, int64_t{1'000'000'000'000}, INT64_MAX, INT64_MIN, int64_t{1'000}}) {
    for (int64_t output : {int64_t{0}, int64_t{-1}, int64_t{1'000'000'000'000}, INT64_MAX, INT64_MIN}) {
      estimator.Learn(Prose(), kAlice, input, output);
    }
  }
  EXPECT_EQ(estimator.models(), 0U);
  EXPECT_EQ(estimator.sessions(), 0U);
  EXPECT_EQ(estimator.For(Prose(), kAlice).most(), 14'000);
}

TEST(Estimator, ImagesAreAddedAndTeachNothingAboutText) {
  Estimator estimator;
  RequestShape shape = Prose(1'000);
  shape.images = 1'000;
  shape.images_most = 3'000;
  estimator.Learn(shape, kAlice, 3'000, std::nullopt);
  EXPECT_EQ(estimator.For(shape, kAlice).input, 2'000);
  EXPECT_EQ(estimator.For(shape, kAlice).input_most, 4'200);
}

TEST(Estimator, AnswersOfTheNarrowestHistoryThatHasEnough) {
  Estimator estimator;
  const EstimateKey job{"openai/m", "", true};
  for (int i = 0; i < 40; ++i) estimator.Learn(Prose(), job, 10'000, 5'000);
  EXPECT_EQ(estimator.For(Prose(), job).output_q90, 5'000);
  EXPECT_EQ(estimator.For(Prose(), kAlice).output_q90, 5'000);  // better than the seed
  for (int i = 0; i < 40; ++i) estimator.Learn(Prose(), {"openai/m", "web/bob", false}, 10'000, 300);
  EXPECT_EQ(estimator.For(Prose(), kAlice).output_q90, 300);
  EXPECT_EQ(estimator.For(Prose(), job).output_q90, 5'000);
  for (int i = 0; i < 9; ++i) estimator.Learn(Prose(), kAlice, 10'000, 800);
  EXPECT_EQ(estimator.For(Prose(), kAlice).output_q90, 800);
}

TEST(Estimator, TheAnswersOfASessionAndOfThoseAlike) {
  Estimator estimator;
  for (int i = 0; i < 9; ++i) estimator.Learn(Prose(), kAlice, 10'000, 800);
  for (int i = 0; i < 40; ++i) estimator.Learn(Prose(), {"openai/m", "", true}, 10'000, 5'000);
  EXPECT_EQ(estimator.Answers(kAlice, 9).own, std::vector<int32_t>(9, 800));
  EXPECT_EQ(estimator.Answers(kAlice, 9).alike, std::vector<int32_t>(9, 800));
  EXPECT_EQ(estimator.Answers(kAlice, 10).alike.size(), 49U) << "too few interactive ones";
  EXPECT_TRUE(estimator.Answers({"openai/m", "web/bob", false}, 9).own.empty());
  EXPECT_TRUE(estimator.Answers({"kimi/m", "", false}, 9).alike.empty());
}

TEST(Estimator, AnswersAreNoLongerThanTheRequestAllows) {
  const Estimate estimate = Estimator().For(Prose(), kAlice, 700);
  EXPECT_EQ(estimate.output, 500);
  EXPECT_EQ(estimate.output_q90, 700);
  EXPECT_EQ(estimate.output_q95, 700);
}

TEST(Estimator, TheQ90OfAnswersCoversNineInTenOfEachKind) {
  std::mt19937 random(23);
  std::lognormal_distribution<double> edits(6, 0.8);
  std::lognormal_distribution<double> reports(7.5, 0.5);
  Estimator estimator;
  int covered[2] = {0, 0};
  constexpr int kCalls = 2000;
  for (int i = 0; i < 2 * kCalls; ++i) {
    for (const bool background : {false, true}) {
      const EstimateKey key{"openai/m", "", background};
      const auto output = static_cast<int64_t>(background ? reports(random) : edits(random)) + 1;
      if (i >= kCalls) covered[background ? 1 : 0] += output <= estimator.For(Prose(), key).output_q90 ? 1 : 0;
      estimator.Learn(Prose(), key, 10'000, output);
    }
  }
  for (const int of : covered) {
    EXPECT_GE(of, 0.85 * kCalls);
    EXPECT_LE(of, 0.95 * kCalls);
  }
}

TEST(Estimator, ForgetsWhoWasNotSeenForLongest) {
  Estimator estimator({.sessions = 3, .models = 2});
  for (const char* session : {"a", "b", "a", "c", "d"}) {
    estimator.Learn(Prose(), {"openai/m", session, false}, 13'000, 100);
  }
  EXPECT_EQ(estimator.sessions(), 3U);
  EXPECT_EQ(estimator.For(Prose(), {"openai/m", "a", false}).input, 13'000);
  EXPECT_LT(estimator.For(Prose(), {"openai/m", "b", false}).input, 11'500);
  for (int i = 0; i < 10; ++i) estimator.Learn(Prose(), {"model" + std::to_string(i), "s", false}, 13'000, 100);
  EXPECT_EQ(estimator.models(), 2U);
}

}  // namespace
}  // namespace holdfast::quota
