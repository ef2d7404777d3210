#include "quota_service/estimate/text_profile.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/base/utf8.h"

namespace holdfast::quota {
namespace {

using Counts = std::array<int64_t, kTextClasses>;

TEST(TextProfile, CountsPiecesAsATokenizerCutsThem) {
  const TextProfile profile = ProfileText("int fooBar = 1234 + 5;\n    // done\n");
  EXPECT_EQ(profile.Count(TextClass::kLetters), 13);
  EXPECT_EQ(profile.Count(TextClass::kWords), 3);
  EXPECT_EQ(profile.Count(TextClass::kHumps), 1);
  EXPECT_EQ(profile.Count(TextClass::kDigits), 5);
  EXPECT_EQ(profile.Count(TextClass::kNumbers), 2);
  EXPECT_EQ(profile.Count(TextClass::kSpaces), 10);
  EXPECT_EQ(profile.Count(TextClass::kGaps), 1);
  EXPECT_EQ(profile.Count(TextClass::kLines), 2);
  EXPECT_EQ(profile.Count(TextClass::kMarks), 5);
  EXPECT_EQ(profile.Count(TextClass::kMarkRuns), 4);
  EXPECT_EQ(profile.bytes, 35);
  EXPECT_EQ(profile.characters, 35);
}

TEST(TextProfile, TellsScriptsApart) {
  EXPECT_EQ(ProfileText("éÄñ").Count(TextClass::kLatin), 3);
  EXPECT_EQ(ProfileText("Привет").Count(TextClass::kTwoBytes), 6);
  EXPECT_EQ(ProfileText("سلام").Count(TextClass::kTwoBytes), 4);
  EXPECT_EQ(ProfileText("中文。カナ한글，").Count(TextClass::kCjk), 8);
  EXPECT_EQ(ProfileText("हिन्दी").Count(TextClass::kThreeBytes), 6);
  EXPECT_EQ(ProfileText("😀").Count(TextClass::kFourBytes), 1);
  EXPECT_EQ(ProfileText("中é😀a").characters, 4);
}

TEST(TextProfile, OfNothingIsNothing) {
  EXPECT_EQ(ProfileText("").characters, 0);
  EXPECT_EQ(ProfileText("").counts, Counts{});
}

// One byte at a time, as the names of the classes say.
TextProfile Plainly(const std::string& text) {
  TextProfile profile;
  const auto letter = [](int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto digit = [](int c) { return c >= '0' && c <= '9'; };
  const auto space = [](int c) { return c == ' ' || c == '\t'; };
  const auto mark = [&](int c) { return c > ' ' && c < 127 && !letter(c) && !digit(c); };
  int before = 0;
  int before_that = 0;
  for (const char byte : text) {
    const int c = static_cast<unsigned char>(byte);
    const auto count = [&](TextClass cls, bool is) { profile.counts[static_cast<size_t>(cls)] += is ? 1 : 0; };
    count(TextClass::kLetters, letter(c));
    count(TextClass::kWords, letter(c) && !letter(before));
    count(TextClass::kHumps, c >= 'A' && c <= 'Z' && before >= 'a' && before <= 'z');
    count(TextClass::kDigits, digit(c));
    count(TextClass::kNumbers, digit(c) && !digit(before));
    count(TextClass::kSpaces, space(c));
    count(TextClass::kGaps, space(c) && space(before) && !space(before_that));
    count(TextClass::kLines, c == '\n');
    count(TextClass::kMarks, mark(c));
    count(TextClass::kMarkRuns, mark(c) && !mark(before));
    count(TextClass::kLatin, c >= 0xC2 && c <= 0xC8);
    count(TextClass::kTwoBytes, c >= 0xC9 && c <= 0xDF);
    count(TextClass::kCjk, (c >= 0xE3 && c <= 0xED) || c == 0xEF);
    count(TextClass::kThreeBytes, (c >= 0xE0 && c <= 0xE2) || c == 0xEE);
    count(TextClass::kFourBytes, c >= 0xF0 && c <= 0xF4);
    profile.characters += (c & 0xC0) != 0x80 ? 1 : 0;
    before_that = before;
    before = c;
  }
  return profile;
}

TEST(TextProfile, VectorsCountAsBytesDoOverAnyBytesAndLengths) {
  std::mt19937 random(7);
  const std::string alphabet = "aZ09 \t\n.;{\"é中😀\xFF\x01\x7F";
  for (size_t length : {1, 2, 15, 16, 17, 31, 33, 255, 4079, 4080, 4081, 4096, 8161, 20'000}) {
    std::string text;
    while (text.size() < length) text.push_back(alphabet[random() % alphabet.size()]);
    EXPECT_EQ(ProfileText(text).counts, Plainly(text).counts) << length;
    EXPECT_EQ(ProfileText(text).characters, Plainly(text).characters) << length;
  }
  // A counter of one byte must not run over.
  const std::string same(20'000, 'x');
  EXPECT_EQ(ProfileText(same).Count(TextClass::kLetters), 20'000);
  EXPECT_EQ(ProfileText(same).Count(TextClass::kWords), 1);
}

TEST(TextProfile, CountsTheSameCharactersAsTheGate) {
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    std::string bytes;
    for (int j = 0; j < 100; ++j) bytes.push_back(static_cast<char>(random()));
    const std::string text = RepairUtf8(bytes);
    EXPECT_EQ(ProfileText(text).characters, CountCodePoints(text));
  }
}

TEST(TextProfile, AddsUp) {
  TextProfile sum = ProfileText("one two");
  sum.Add(ProfileText("three"));
  EXPECT_EQ(sum.Count(TextClass::kWords), 3);
  EXPECT_EQ(sum.characters, 12);
  EXPECT_EQ(sum.bytes, 12);
}

}  // namespace
}  // namespace holdfast::quota
