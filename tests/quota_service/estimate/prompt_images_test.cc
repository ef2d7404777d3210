#include "quota_service/estimate/prompt_images.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::quota {
namespace {

// The beginning of a PNG whose header says 1,024 x 1,024.
constexpr char kPng[] = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAA=";

TEST(PromptImages, TheSizeIsReadFromAnInlineImage) {
  const std::string png = kPng;
  for (const std::string head : {"data:image/png;base64,", "DATA:image/png;BASE64,", "data:;base64,",
                                 "data:text/plain;charset=utf-8;base64,", "data:image/jpeg;name=a.png;base64,"}) {
    EXPECT_EQ(ReadImageSizeOfUrl(head + png), (ImageSize{1024, 1024})) << head;
  }
}

TEST(PromptImages, AnyOtherUrlTellsNoSize) {
  const std::string png = kPng;
  for (const std::string& url :
       {std::string(), std::string("data:"), std::string("data:,"), "https://example.com/" + png,
        "data:image/png," + png, "data:image/png;base64" + png, "data:base64," + png, " data:image/png;base64," + png,
        "data:" + std::string(300, 'x') + ";base64," + png, std::string("data:image/png;base64,"),
        std::string("data:image/png;base64,*****"), "data:image/png;base64,/9j/" + png}) {
    EXPECT_EQ(ReadImageSizeOfUrl(url), std::nullopt) << url;
  }
}

TEST(PromptImages, AddUpByTheirRule) {
  const ImageRule& rule = FindImageRule("gpt-4o");
  PromptImages images;
  EXPECT_EQ(images.TokensBy(rule).most, 0);
  images.Add({ImageDetail::kDefault, ImageSize{1024, 1024}});  // 765
  images.Add({ImageDetail::kLow, std::nullopt});               // 85
  images.Add({});                                              // 765, at most 1,445
  EXPECT_EQ(images.TokensBy(rule).expected, 765 + 85 + 765);
  EXPECT_EQ(images.TokensBy(rule).most, 765 + 85 + 1445);
}

TEST(PromptImages, OfMoreThanAreKeptEachIsTakenForOneOfUnknownSize) {
  PromptImages images;
  for (size_t i = 0; i < PromptImages::kMostKnown; ++i) {
    EXPECT_TRUE(images.has_room());
    images.Add({ImageDetail::kLow, std::nullopt});
  }
  EXPECT_FALSE(images.has_room());
  for (int i = 0; i < 3; ++i) images.Add({ImageDetail::kLow, std::nullopt});
  const ImageTokens tokens = images.TokensBy(FindImageRule("gpt-4o"));
  EXPECT_EQ(tokens.expected, static_cast<int64_t>(PromptImages::kMostKnown) * 85 + 3 * 765);
  EXPECT_EQ(tokens.most, static_cast<int64_t>(PromptImages::kMostKnown) * 85 + 3 * 1445);
}

}  // namespace
}  // namespace holdfast::quota
