#include "clients/cli/tools/patch_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using testing::HasSubstr;

TEST(PatchParser, ReadsEverySection) {
  const auto patch = ParsePatch(
      "*** Begin Patch\n"
      "*** Add File: new.txt\n"
      "+one\n"
      "+\n"
      "*** Delete File: gone.txt\n"
      "*** Update File: old.txt\n"
      "*** Move to: moved.txt\n"
      "@@ class A\n"
      "@@ void F()\n"
      " keep\n"
      "-old\n"
      "+new\n"
      "@@\n"
      "-last\n"
      "*** End of File\n"
      "*** End Patch\n");
  ASSERT_TRUE(patch.ok()) << patch.status();
  ASSERT_EQ(patch->files.size(), 3u);
  EXPECT_EQ(patch->files[0].content, "one\n\n");
  EXPECT_EQ(patch->files[1].kind, FileChange::Kind::kDelete);
  const FileChange& update = patch->files[2];
  EXPECT_EQ(update.path, "old.txt");
  EXPECT_EQ(update.move_to, "moved.txt");
  ASSERT_EQ(update.hunks.size(), 2u);
  EXPECT_EQ(update.hunks[0].anchors, (std::vector<std::string>{"class A", "void F()"}));
  EXPECT_EQ(update.hunks[0].lines.size(), 3u);
  EXPECT_FALSE(update.hunks[0].at_end);
  EXPECT_TRUE(update.hunks[1].anchors.empty());
  EXPECT_TRUE(update.hunks[1].at_end);
  EXPECT_EQ(update.hunks[1].line, 13);
}

TEST(PatchParser, AcceptsTheFirstHunkWithoutMarkAndUnifiedHeaders) {
  const auto patch =
      ParsePatch("*** Begin Patch\n*** Update File: a\n-x\n+y\n@@ -10,2 +10,3 @@ f()\n-z\n*** End Patch");
  ASSERT_TRUE(patch.ok()) << patch.status();
  ASSERT_EQ(patch->files[0].hunks.size(), 2u);
  EXPECT_TRUE(patch->files[0].hunks[1].anchors.empty());
}

TEST(PatchParser, TakesAnEmptyLineForEmptyContextButNotInFrontOfASection) {
  const auto patch =
      ParsePatch("\n*** Begin Patch\n*** Update File: a\n x\n\n-y\n\n*** Add File: b\n+1\n\n*** End Patch\n\n");
  ASSERT_TRUE(patch.ok()) << patch.status();
  EXPECT_EQ(patch->files[0].hunks[0].lines.size(), 3u);
  EXPECT_EQ(patch->files[1].content, "1\n");
}

TEST(PatchParser, ReadsAPatchInCrlf) {
  const auto patch = ParsePatch("*** Begin Patch\r\n*** Add File: a\r\n+x\r\n*** End Patch\r\n");
  ASSERT_TRUE(patch.ok()) << patch.status();
  EXPECT_EQ(patch->files[0].path, "a");
  EXPECT_EQ(patch->files[0].content, "x\n");
}

TEST(PatchParser, AcceptsAMoveWithoutHunks) {
  EXPECT_TRUE(ParsePatch("*** Begin Patch\n*** Update File: a\n*** Move to: b\n*** End Patch").ok());
}

struct Bad {
  const char* text;
  const char* line;
};

class BadPatch : public testing::TestWithParam<Bad> {};
INSTANTIATE_TEST_SUITE_P(
    All, BadPatch,
    testing::Values(Bad{"", "line 1:"}, Bad{"diff --git a b", "line 1:"},
                    Bad{"*** Begin Patch\n*** End Patch", "line 2:"},
                    Bad{"*** Begin Patch\n*** Add File: a\n+x\n", "line 4:"},
                    Bad{"*** Begin Patch\n*** Add File:\n+x\n", "line 2:"},
                    Bad{"*** Begin Patch\n*** Add File: a\nx\n*** End Patch", "line 3:"},
                    Bad{"*** Begin Patch\n*** Rename File: a\n*** End Patch", "line 2:"},
                    Bad{"*** Begin Patch\n*** Update File: a\n*** End Patch", "line 3:"},
                    Bad{"*** Begin Patch\n*** Update File: a\n@@ x\n*** End Patch", "line 4:"},
                    Bad{"*** Begin Patch\n*** Update File: a\n*** Move to: \n*** End Patch", "line 3:"},
                    Bad{"*** Begin Patch\n*** Update File: a\n-x\nbad\n*** End Patch", "line 4:"},
                    Bad{"*** Begin Patch\n*** Delete File: a\n-x\n*** End Patch", "line 3:"},
                    Bad{"*** Begin Patch\n*** Delete File: a\n*** End Patch\nrm -rf /", "line 4:"}));

TEST_P(BadPatch, IsRefusedWithTheLineNumber) {
  const auto patch = ParsePatch(GetParam().text);
  ASSERT_FALSE(patch.ok());
  EXPECT_EQ(patch.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(patch.status().message()), HasSubstr(GetParam().line));
}

}  // namespace
}  // namespace holdfast::cli
