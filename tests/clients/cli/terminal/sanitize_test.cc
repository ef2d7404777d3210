#include "clients/cli/terminal/sanitize.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

TEST(Sanitize, KeepsTextLineFeedsAndTabs) { EXPECT_EQ(Sanitize("a\tb\nüñ 漢字 🙂"), "a\tb\nüñ 漢字 🙂"); }

TEST(Sanitize, RemovesWholeColourAndCursorSequences) {
  EXPECT_EQ(Sanitize("\x1b[1;31mred\x1b[0m \x1b[2J\x1b[10;10Hhere"), "red here");
}

TEST(Sanitize, RemovesTitleAndClipboardStringsWithEitherTerminator) {
  EXPECT_EQ(Sanitize("a\x1b]0;evil title\x07"
                     "b\x1b]52;c;ZXZpbA==\x1b\\c"),
            "abc");
}

TEST(Sanitize, RemovesOtherControlCharacters) {
  EXPECT_EQ(Sanitize(std::string("a\rb\bc\x07"
                                 "d\x7f"
                                 "e\0f",
                                 11)),
            "abcdef");
}

TEST(Sanitize, RemovesC1ControlsWithTheirSequences) {
  EXPECT_EQ(Sanitize("x\xC2\x9B"
                     "31my\xC2\x9D"
                     "0;title\xC2\x9Cz\xC2\x85"),
            "xyz");
}

TEST(Sanitize, KeepsTheCharactersNextToC1) { EXPECT_EQ(Sanitize("\xC2\xA0\xC2\xA9"), "\xC2\xA0\xC2\xA9"); }

TEST(Sanitize, RemovesOverridesOfTheTextDirection) {
  EXPECT_EQ(Sanitize("a\xE2\x80\xAE"
                     "b\xE2\x81\xA6"
                     "c\xE2\x80\x8F"
                     "d\xE2\x80\x94"
                     "e"),
            "abcd\xE2\x80\x94"
            "e");
}

TEST(Sanitize, AnUnterminatedStringHidesNothingBehindTheLine) {
  EXPECT_EQ(Sanitize("a\x1b]0;never ended\nthe rest"), "a\nthe rest");
}

TEST(Sanitize, ABrokenSequenceEndsAtTheFirstByteThatCannotBelongToIt) { EXPECT_EQ(Sanitize("\x1b[31ä\n"), "ä\n"); }

TEST(Sanitize, AnEscapeInsideASequenceBeginsANewOne) { EXPECT_EQ(Sanitize("\x1b[3\x1b[31mred"), "red"); }

TEST(ControlFilter, RemovesASequenceThatTwoPiecesShare) {
  ControlFilter filter;
  EXPECT_EQ(filter.Feed("a\x1b"), "a");
  EXPECT_EQ(filter.Feed("[3"), "");
  EXPECT_EQ(filter.Feed("1mb"), "b");
}

TEST(SanitizeLine, MakesOneLine) { EXPECT_EQ(SanitizeLine("a\nb\tc", 10), "a b c"); }

TEST(SanitizeLine, CutsByColumnsWithAnEllipsis) {
  EXPECT_EQ(SanitizeLine("äöüß", 4), "äöüß");
  EXPECT_EQ(SanitizeLine("äöüßx", 4), "äöü…");
  EXPECT_EQ(SanitizeLine("abc", 1), "…");
  EXPECT_EQ(SanitizeLine("abc", 0), "");
  EXPECT_EQ(SanitizeLine("漢字", 4), "漢字");
  EXPECT_EQ(SanitizeLine("漢字", 3), "漢…");
  EXPECT_EQ(SanitizeLine("漢字", 2), "…");
  EXPECT_EQ(SanitizeLine("a漢字", 4), "a漢…");
  EXPECT_EQ(SanitizeLine("🙂🙂x", 5), "🙂🙂x");
  EXPECT_EQ(SanitizeLine("🙂🙂xy", 5), "🙂🙂…");
  EXPECT_EQ(SanitizeLine(std::string(100'000, 'x'), std::string::npos).size(), 100'000U);
}

}  // namespace
}  // namespace holdfast::cli
