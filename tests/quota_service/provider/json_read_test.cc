#include "quota_service/provider/json_read.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <limits>
#include <string>

namespace holdfast::quota {
namespace {

std::string ParsedText(std::string_view json) {
  const auto value = ParseJson(json);
  return value ? std::string(Text(&*value)) : "not JSON";
}

TEST(JsonRead, RepairsHalfSurrogatePairsAndBadBytes) {
  EXPECT_EQ(ParsedText(R"("\ud83d")"), "\xEF\xBF\xBD");
  EXPECT_EQ(ParsedText(R"("\ude00x")"), "\xEF\xBF\xBDx");
  EXPECT_EQ(ParsedText(R"("\ud83d\ud83d\ude00")"), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  EXPECT_EQ(ParsedText(R"("\\ud83d\ud83d")"), "\\ud83d\xEF\xBF\xBD");
  EXPECT_EQ(ParsedText("\"a\xff\""), "a\xEF\xBF\xBD");
}

TEST(JsonRead, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "\"\\u12", "\\", "{} {}", "nul", "\"\\ud83d", "data: {}"})
    EXPECT_FALSE(ParseJson(text)) << text;
  EXPECT_FALSE(ParseJson(std::string(1000, '[') + std::string(1000, ']')));
  EXPECT_TRUE(ParseJson(std::string(100, '[') + std::string(100, ']')));
}

TEST(JsonRead, ReadsIntegersHoweverTheyAreWritten) {
  const auto value =
      ParseJson(R"({"i":-3,"d":3.0,"e":2e3,"u":18446744073709551615,"h":1e999,"l":-1e300,"s":"3","n":null})");
  EXPECT_EQ(FindInteger(&*value, "i"), -3);
  EXPECT_EQ(FindInteger(&*value, "d"), 3);
  EXPECT_EQ(FindInteger(&*value, "e"), 2000);
  EXPECT_EQ(FindInteger(&*value, "u"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FindInteger(&*value, "h"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FindInteger(&*value, "l"), std::numeric_limits<int64_t>::min());
  EXPECT_FALSE(FindInteger(&*value, "s"));
  EXPECT_FALSE(FindInteger(&*value, "n"));
  EXPECT_FALSE(FindInteger(&*value, "absent"));
}

TEST(JsonRead, AnotherTypeCountsAsAbsent) {
  const auto value = ParseJson(R"({"a":[1],"o":{"x":"y"},"s":"t","n":5})");
  EXPECT_EQ(FindText(&*value, "a"), "");
  EXPECT_EQ(FindObject(&*value, "a"), nullptr);
  EXPECT_TRUE(FindArray(&*value, "o").empty());
  EXPECT_EQ(FindText(Find(&*value, "s"), "x"), "");
  EXPECT_EQ(FindText(nullptr, "x"), "");
  EXPECT_EQ(FindText(FindObject(&*value, "o"), "x"), "y");
  EXPECT_EQ(FindCode(&*value, "n"), "5");
  EXPECT_EQ(FindCode(&*value, "s"), "t");
  EXPECT_EQ(FindCode(&*value, "a"), "");
}

}  // namespace
}  // namespace holdfast::quota
