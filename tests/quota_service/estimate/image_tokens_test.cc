#include "quota_service/estimate/image_tokens.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

int64_t High(std::string_view model, int64_t width, int64_t height) {
  return TokensOfImage(FindImageRule(model), ImageDetail::kHigh, ImageSize{width, height}).expected;
}

// The examples of OpenAI's guide.
TEST(ImageTokens, OfTilesAreThePublishedOnes) {
  EXPECT_EQ(High("gpt-4o", 1024, 1024), 765);
  EXPECT_EQ(High("gpt-4o", 2048, 4096), 1105);
  EXPECT_EQ(High("gpt-4o-2024-08-06", 512, 512), 255);
  EXPECT_EQ(TokensOfImage(FindImageRule("gpt-4o"), ImageDetail::kLow, ImageSize{4096, 8192}).expected, 85);
  EXPECT_EQ(High("gpt-4o-mini", 1024, 1024), 2833 + 4 * 5667);
  EXPECT_EQ(High("o3", 1024, 1024), 75 + 4 * 150);
  EXPECT_EQ(High("gpt-5", 1024, 1024), 70 + 4 * 140);
}

TEST(ImageTokens, OfPatchesAreThePublishedOnes) {
  ImageRule rule = FindImageRule("gpt-4.1-mini");
  rule.scale = 1;
  EXPECT_EQ(TokensOfImage(rule, ImageDetail::kLow, ImageSize{1024, 1024}).expected, 1024);
  EXPECT_EQ(TokensOfImage(rule, ImageDetail::kHigh, ImageSize{1800, 2400}).expected, 1452);
  EXPECT_EQ(High("o4-mini", 1024, 1024), 1762);       // 1,024 x 1.72
  EXPECT_EQ(High("gpt-4.1-mini", 2400, 1800), 2353);  // 1,452 x 1.62
  EXPECT_EQ(High("gpt-5-nano", 32, 32), 3);
}

TEST(ImageTokens, OfAreaAreThePublishedOnes) {
  EXPECT_EQ(High("claude-sonnet-4", 200, 200), 54);
  EXPECT_EQ(High("claude-sonnet-4", 1000, 1000), 1334);
  EXPECT_EQ(High("claude-sonnet-4", 8000, 8000), 1600);
}

TEST(ImageTokens, OfAModelNobodyKnowsAreThoseOfGpt4o) {
  EXPECT_EQ(High("kimi-k2.5", 1024, 1024), 765);
  EXPECT_EQ(High("", 1024, 1024), 765);
}

TEST(ImageTokens, OfAnUnknownSizeAreUsualAndAtMostAllThatTheRuleAllows) {
  const ImageTokens tiles = TokensOfImage(FindImageRule("gpt-4o"), ImageDetail::kDefault, std::nullopt);
  EXPECT_EQ(tiles.expected, 765);
  EXPECT_EQ(tiles.most, 85 + 8 * 170);
  const ImageTokens low = TokensOfImage(FindImageRule("gpt-4o"), ImageDetail::kLow, std::nullopt);
  EXPECT_EQ(low.most, 85);
  EXPECT_EQ(TokensOfImage(FindImageRule("o4-mini"), ImageDetail::kLow, std::nullopt).expected, 1762);
}

TEST(ImageTokens, AreAtLeastWhatIsKnown) {
  const ImageRule& tiles = FindImageRule("gpt-4o-mini");
  EXPECT_EQ(TokensOfImage(tiles, ImageDetail::kDefault, std::nullopt).least, 2833) << "it may be shown in low detail";
  EXPECT_EQ(TokensOfImage(tiles, ImageDetail::kDefault, ImageSize{1024, 1024}).least, 2833);
  EXPECT_EQ(TokensOfImage(tiles, ImageDetail::kLow, std::nullopt).least, 2833);
  EXPECT_EQ(TokensOfImage(tiles, ImageDetail::kHigh, std::nullopt).least, 2833 + 5667) << "it may be small";
  EXPECT_EQ(TokensOfImage(tiles, ImageDetail::kHigh, ImageSize{1024, 1024}).least, 2833 + 4 * 5667);
  EXPECT_EQ(TokensOfImage(FindImageRule("o4-mini"), ImageDetail::kDefault, std::nullopt).least, 2);
  EXPECT_EQ(TokensOfImage(FindImageRule("o4-mini"), ImageDetail::kDefault, ImageSize{1024, 1024}).least, 1762);
  EXPECT_EQ(TokensOfImage(FindImageRule("claude"), ImageDetail::kDefault, std::nullopt).least, 1);
}

TEST(ImageTokens, OfAnySizeAreNoMoreThanTheMost) {
  for (const char* model : {"gpt-4o", "gpt-4o-mini", "o4-mini", "gpt-5-nano", "claude", "o1", "computer-use-preview"}) {
    const ImageRule& rule = FindImageRule(model);
    const int64_t most = TokensOfImage(rule, ImageDetail::kHigh, std::nullopt).most;
    for (int64_t width : {1, 31, 32, 33, 500, 513, 769, 2049, 65'535}) {
      for (int64_t height : {1, 31, 32, 33, 500, 513, 769, 2049, 65'535}) {
        const int64_t tokens = TokensOfImage(rule, ImageDetail::kHigh, ImageSize{width, height}).expected;
        EXPECT_GE(tokens, 1) << model << ' ' << width << 'x' << height;
        EXPECT_LE(tokens, most) << model << ' ' << width << 'x' << height;
      }
    }
  }
}

TEST(ImageDetail, IsReadFromItsName) {
  EXPECT_EQ(ImageDetailOf("low"), ImageDetail::kLow);
  EXPECT_EQ(ImageDetailOf("high"), ImageDetail::kHigh);
  EXPECT_EQ(ImageDetailOf("auto"), ImageDetail::kDefault);
  EXPECT_EQ(ImageDetailOf(""), ImageDetail::kDefault);
}

}  // namespace
}  // namespace holdfast::quota
