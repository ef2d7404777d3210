#include "clients/cli/tools/list_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

TEST(ListFiles, WalksSortedMarksFoldersSkipsGitAndFollowsNoLinks) {
  TemporaryFolder folder;
  folder.Write(folder.ws("b.txt"), "");
  folder.Write(folder.ws("a/z.txt"), "");
  folder.Write(folder.ws("a/.git/config"), "");
  folder.Write(folder.ws(".git/config"), "");
  folder.Write(folder.outside("secret"), "");
  fs::create_directory_symlink(folder.path() / "outside", folder.ws("link"));
  EXPECT_EQ(*ListFiles(folder.Open(), "."), "a/\na/z.txt\nb.txt\nlink\n");
  EXPECT_EQ(*ListFiles(folder.Open(), "a"), "z.txt\n");
}

TEST(ListFiles, StopsAtTheBoundAndSaysSo) {
  TemporaryFolder folder;
  for (int i = 0; i < 5000; ++i) folder.Write(folder.ws(fmt::format("f{:04}", i)), "");
  const std::string text = *ListFiles(folder.Open(), ".");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1001);
  EXPECT_THAT(text, HasSubstr("f0999\n[… more than these 1000 entries"));
}

TEST(ListFiles, HasNoNoteWhereTheBoundIsJustReached) {
  TemporaryFolder folder;
  for (int i = 0; i < 1000; ++i) folder.Write(folder.ws(fmt::format("f{:04}", i)), "");
  EXPECT_THAT(*ListFiles(folder.Open(), "."), Not(HasSubstr("[…")));
}

TEST(ListFiles, EscapesNamesThatWouldFakeLines) {
  TemporaryFolder folder;
  folder.Write(folder.ws("a\nb"), "");
  EXPECT_EQ(*ListFiles(folder.Open(), "."), "a\\x0ab\n");
}

TEST(ListFiles, RefusesFilesMissingFoldersAndTheOutside) {
  TemporaryFolder folder;
  folder.Write(folder.ws("file"), "");
  EXPECT_THAT(std::string(ListFiles(folder.Open(), "file").status().message()), HasSubstr("not a folder"));
  EXPECT_THAT(std::string(ListFiles(folder.Open(), "no").status().message()), HasSubstr("does not exist"));
  EXPECT_THAT(std::string(ListFiles(folder.Open(), "..").status().message()), HasSubstr("leaves the workspace"));
}

}  // namespace
}  // namespace holdfast::cli
