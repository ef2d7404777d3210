#include "clients/cli/tools/patch_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/tools/printable.h"

namespace holdfast::cli {
namespace {

TEST(PatchDiff, NamesEveryFileOnceAndShowsTheHunks) {
  const auto patch = ParsePatch(
      "*** Begin Patch\n*** Add File: n\n+1\n*** Delete File: d\n*** Update File: o\n*** Move to: p\n@@ f\n "
      "c\n-x\n+y\n*** End Patch");
  ASSERT_TRUE(patch.ok());
  EXPECT_EQ(TouchedFiles(*patch), (std::vector<std::string>{"n", "d", "o", "p"}));
  EXPECT_EQ(UnifiedDiff(*patch),
            "--- /dev/null\n+++ b/n\n@@\n+1\n"
            "--- a/d\n+++ /dev/null\n"
            "--- a/o\n+++ b/p\n@@ f\n c\n-x\n+y\n");
}

TEST(PatchDiff, LetsNoEscapeSequenceThrough) {
  const auto patch = ParsePatch("*** Begin Patch\n*** Add File: a\x1b[2K\n+\x1b]0;x\x07\n*** End Patch");
  ASSERT_TRUE(patch.ok());
  EXPECT_EQ(UnifiedDiff(*patch).find('\x1b'), std::string::npos);
}

TEST(Printable, EscapesControlsAndReorderingAndKeepsText) {
  EXPECT_EQ(Printable("é\x1b[31m\xE2\x80\xAE\n\xFF"), "é\\x1b[31m\\u{202e}\\x0a\xEF\xBF\xBD");
  EXPECT_EQ(Printable("a\n\tb\r", true), "a\n\tb\\x0d");
}

}  // namespace
}  // namespace holdfast::cli
