#include "clients/cli/tools/patch_match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

absl::StatusOr<PatchedText> Apply(const std::string& text, const std::string& hunks) {
  const auto patch = ParsePatch("*** Begin Patch\n*** Update File: a.txt\n" + hunks + "*** End Patch\n");
  EXPECT_TRUE(patch.ok()) << patch.status();
  return ApplyHunks("a.txt", text, patch->files[0].hunks);
}

std::string Patched(const std::string& text, const std::string& hunks) {
  const auto result = Apply(text, hunks);
  return result.ok() ? result->text : std::string(result.status().message());
}

TEST(PatchMatch, ReplacesAddsAndRemovesAndCounts) {
  const auto result = Apply("a\nb\nc\nd\n", "@@\n a\n-b\n+B\n+BB\n c\n@@\n-d\n");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "a\nB\nBB\nc\n");
  EXPECT_EQ(result->added, 2);
  EXPECT_EQ(result->removed, 2);
}

TEST(PatchMatch, PrefersTheExactMatchToALenientOne) { EXPECT_EQ(Patched("x  \nx\n", "-x\n+y\n"), "x  \ny\n"); }

TEST(PatchMatch, IgnoresWhiteSpaceAtLineEndsThenAround) {
  EXPECT_EQ(Patched("one \t\ntwo\n", " one\n-two\n+2\n"), "one \t\n2\n");
  EXPECT_EQ(Patched("\tone\n\ttwo\n", " one\n-  two\n+\t2\n"), "\tone\n\t2\n");
}

TEST(PatchMatch, LooksBehindThePreviousHunk) {
  EXPECT_EQ(Patched("x\nmark\nx\n", "-mark\n+m\n@@\n-x\n+y\n"), "x\nm\ny\n");
  EXPECT_THAT(Patched("x\nmark\n", "-mark\n+m\n@@\n-x\n+y\n"),
              AllOf(HasSubstr("hunk 2"), HasSubstr("line 1"), HasSubstr("order of the file")));
}

TEST(PatchMatch, RefusesAHunkThatFitsInTwoPlaces) {
  EXPECT_THAT(Patched("x\na\nx\n", "-x\n+y\n"),
              AllOf(HasSubstr("a.txt"), HasSubstr("hunk 1"), HasSubstr("lines 1 and 3")));
}

TEST(PatchMatch, NarrowsByAnchors) {
  const std::string text = "class A\n run\n  x\nclass B\n run\n  x\nclass C\n";
  EXPECT_EQ(Patched(text, "@@ class B\n-  x\n+  y\n"), "class A\n run\n  x\nclass B\n run\n  y\nclass C\n");
  EXPECT_EQ(Patched(text, "@@ class B\n@@  run\n-  x\n+  y\n"), "class A\n run\n  x\nclass B\n run\n  y\nclass C\n");
  EXPECT_EQ(Patched(text, "@@ class A\n-  x\n+  y\n"), "class A\n run\n  y\nclass B\n run\n  x\nclass C\n");
}

TEST(PatchMatch, RefusesAnAnchorThatLeadsToTwoPlaces) {
  EXPECT_THAT(Patched("class A\n run\n  x\nclass B\n run\n  x\n", "@@ run\n-  x\n+  y\n"), HasSubstr("2 places"));
}

TEST(PatchMatch, NamesAMissingAnchorAndMissingLines) {
  EXPECT_THAT(Patched("x\n", "@@ class Q\n-x\n"),
              AllOf(HasSubstr("a.txt"), HasSubstr("hunk 1"), HasSubstr("|class Q")));
  EXPECT_THAT(Patched("x\n", "-nope\n"),
              AllOf(HasSubstr("a.txt"), HasSubstr("hunk 1 (patch line 3)"), HasSubstr("|nope")));
}

TEST(PatchMatch, PutsPureAdditionsBehindTheAnchorOrAtTheEnd) {
  EXPECT_EQ(Patched("a\nb\n", "@@ a\n+new\n"), "a\nnew\nb\n");
  EXPECT_EQ(Patched("a\nb\n", "+new\n"), "a\nb\nnew\n");
  EXPECT_EQ(Patched("", "+new\n"), "new\n");
  EXPECT_THAT(Patched("a\na\n", "@@ a\n+new\n"), HasSubstr("2 places"));
}

TEST(PatchMatch, HoldsAHunkToTheEndOfTheFile) {
  EXPECT_EQ(Patched("x\ny\nx\n", "-x\n+z\n*** End of File\n"), "x\ny\nz\n");
  EXPECT_THAT(Patched("x\ny\n", "-x\n+z\n*** End of File\n"), HasSubstr("at the end of the file"));
}

TEST(PatchMatch, KeepsCrlfAndMixedLineEnds) {
  EXPECT_EQ(Patched("a\r\nb\r\nc\r\n", " a\n-b\n+B\n"), "a\r\nB\r\nc\r\n");
  EXPECT_EQ(Patched("a\r\nb\r\nc\n", " a\n-b\r\n+B\r\n"), "a\r\nB\r\nc\n");
  EXPECT_EQ(Patched("a\nb\r\nc\nd\n", "-a\n+A\n"), "A\nb\r\nc\nd\n");
}

TEST(PatchMatch, KeepsAMissingFinalNewline) {
  EXPECT_EQ(Patched("a\nb", "-b\n+B\n+C\n"), "a\nB\nC");
  EXPECT_EQ(Patched("a\nb", " b\n+c\n"), "a\nb\nc");
  EXPECT_EQ(Patched("a\nb", "-b\n"), "a");
  EXPECT_EQ(Patched("a\n", "-a\n"), "");
}

TEST(PatchMatch, FindsOverlappingRepetitions) {
  EXPECT_EQ(Patched("a\na\nb\na\na\na\nc\n", " a\n a\n-c\n+C\n"), "a\na\nb\na\na\na\nC\n");
}

TEST(PatchMatch, StaysLinearOnRepetitiveText) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "a\n";
  std::string hunk;
  for (int i = 0; i < 20000; ++i) hunk += " a\n";
  EXPECT_THAT(Patched(text + "b\n", hunk + "-c\n"), HasSubstr("does not fit"));
}

}  // namespace
}  // namespace holdfast::cli
