#include "common/base/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kReplacement[] = "\xEF\xBF\xBD";

// "aRRb": R stands for U+FFFD.
std::string Expand(std::string_view pattern) {
  std::string text;
  for (const char c : pattern) text += c == 'R' ? std::string(kReplacement) : std::string(1, c);
  return text;
}

std::string Encode(uint32_t code_point) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (code_point < 0x80) return {byte(code_point)};
  if (code_point < 0x800) return {byte(0xC0 | code_point >> 6), byte(0x80 | (code_point & 0x3F))};
  if (code_point < 0x10000) {
    return {byte(0xE0 | code_point >> 12), byte(0x80 | (code_point >> 6 & 0x3F)), byte(0x80 | (code_point & 0x3F))};
  }
  return {byte(0xF0 | code_point >> 18), byte(0x80 | (code_point >> 12 & 0x3F)), byte(0x80 | (code_point >> 6 & 0x3F)),
          byte(0x80 | (code_point & 0x3F))};
}

TEST(Utf8, EveryScalarValueIsValidAndNoSurrogateIs) {
  for (uint32_t code_point = 0; code_point < 0x120000; ++code_point) {
    const bool scalar = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
    const std::string text = Encode(code_point);
    ASSERT_EQ(IsValidUtf8(text), scalar) << std::hex << code_point;
    if (!scalar) continue;
    ASSERT_EQ(CountCodePoints(text), 1) << std::hex << code_point;
    ASSERT_EQ(RepairUtf8(text), text) << std::hex << code_point;
    // Any part of it is not.
    for (size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_FALSE(IsValidUtf8(text.substr(0, cut)));
      ASSERT_FALSE(IsValidUtf8(text.substr(cut)));
    }
  }
}

// The Unicode standard 15.0, tables 3-8 to 3-11.
TEST(RepairUtf8, FollowsTheTablesOfTheUnicodeStandard) {
  EXPECT_EQ(RepairUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), Expand("RRRRRRRRA"));  // not the shortest form
  EXPECT_EQ(RepairUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), Expand("RRRRRRRRA"));  // surrogates
  EXPECT_EQ(RepairUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), Expand("RRRRRARRB"));  // otherwise ill-formed
  EXPECT_EQ(RepairUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), Expand("RRRRA"));      // truncated
}

TEST(RepairUtf8, MendsTheEndOfACutText) {
  EXPECT_EQ(RepairUtf8("a\xE2\x82"), Expand("aR"));
  EXPECT_EQ(RepairUtf8("\xF0\x9F\x98"), Expand("R"));
}

TEST(RepairUtf8, AlwaysGivesValidTextAndLeavesValidTextAlone) {
  const std::string valid = "plain, äöü, 漢字, 😀, \x01 and \x7F";
  EXPECT_EQ(RepairUtf8(valid), valid);
  EXPECT_EQ(RepairUtf8(""), "");
  EXPECT_EQ(RepairUtf8(std::string_view("a\0b", 3)), std::string("a\0b", 3));
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      for (const char* tail : {"", "\x80", "\x80\x80", "A"}) {
        const std::string bytes = std::string{static_cast<char>(first), static_cast<char>(second)} + tail;
        const std::string repaired = RepairUtf8(bytes);
        ASSERT_TRUE(IsValidUtf8(repaired)) << first << " " << second;
        ASSERT_EQ(CountCodePoints(repaired), CountCodePoints(RepairUtf8(repaired)));
      }
    }
  }
}

TEST(CountCodePoints, CountsCharactersNotBytes) {
  EXPECT_EQ(CountCodePoints(""), 0);
  EXPECT_EQ(CountCodePoints("abc"), 3);
  EXPECT_EQ(CountCodePoints("aä漢😀"), 4);
}

TEST(CountCodePoints, CountsAnInvalidByteAsOne) {
  EXPECT_EQ(CountCodePoints("\x80\x80\x80"), 3);
  EXPECT_EQ(CountCodePoints("a\xFF"
                            "b"),
            3);
  EXPECT_EQ(CountCodePoints("\xC0\xAF"), 2);
}

TEST(TruncateUtf8, CutsBetweenCodePointsAndKeepsAsMuchAsFits) {
  const std::string_view text = "aä漢😀";  // 1 + 2 + 3 + 4 bytes
  const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (size_t most = 0; most < std::size(kept); ++most) {
    EXPECT_EQ(TruncateUtf8(text, most), text.substr(0, kept[most])) << most;
  }
}

TEST(TruncateUtf8, KeepsWhatFitsOfInvalidTextToo) {
  const std::string rubbish(100, '\x80');
  EXPECT_GE(TruncateUtf8(rubbish, 50).size(), 47U);
  EXPECT_LE(TruncateUtf8(rubbish, 50).size(), 50U);
}

TEST(KeepHeadAndTail, LeavesAloneWhatFits) {
  const std::string text(200, 'x');
  EXPECT_EQ(KeepHeadAndTail(text, 200), text);
  EXPECT_EQ(KeepHeadAndTail("", 0), "");
}

TEST(KeepHeadAndTail, SaysExactlyHowMuchIsMissing) {
  const std::string text = std::string(1000, 'h') + std::string(1000, 't');
  const std::string kept = KeepHeadAndTail(text, 264);
  EXPECT_EQ(kept, std::string(100, 'h') + "\n[… 1800 bytes left out …]\n" + std::string(100, 't'));
}

TEST(KeepHeadAndTail, IsNeverLongerThanAllowedAndNeverCutsACharacter) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "😀";
  for (size_t most = 0; most < 1000; ++most) {
    const std::string kept = KeepHeadAndTail(text, most);
    ASSERT_LE(kept.size(), most);
    ASSERT_TRUE(IsValidUtf8(kept)) << most;
  }
  EXPECT_THAT(KeepHeadAndTail(text, 999), HasSubstr("bytes left out"));
}

TEST(KeepHeadAndTail, KeepsOnlyTheHeadWhereThereIsNoRoomForBoth) {
  const std::string text = "head" + std::string(1000, '-');
  const std::string kept = KeepHeadAndTail(text, 10);
  EXPECT_THAT(kept, StartsWith("head"));
  EXPECT_EQ(kept.size(), 10U);
}

TEST(KeepHeadAndTail, HasRoomForTheNoteOfTheLargestText) {
  const std::string text(64 * 1024 * 1024, 'x');
  const std::string kept = KeepHeadAndTail(text, 64 * 1024);
  EXPECT_LE(kept.size(), 64U * 1024);
  EXPECT_THAT(kept, EndsWith("xx"));
}

}  // namespace
}  // namespace holdfast
