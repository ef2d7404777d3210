#include "clients/cli/tools/workspace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Workspace, ResolvesRelativeAbsoluteAndUntidyPathsInsideIt) {
  TemporaryFolder folder;
  folder.Write(folder.ws("a/b.txt"), "x");
  const Workspace workspace = folder.Open();
  for (const std::string path : {"a/b.txt", "./a//b.txt", "a/../a/b.txt", "a/./b.txt"}) {
    const auto resolved = workspace.Resolve(path, Access::kRead);
    ASSERT_TRUE(resolved.ok()) << path << resolved.status();
    EXPECT_EQ(resolved->relative, "a/b.txt");
    EXPECT_TRUE(resolved->exists);
  }
  EXPECT_EQ(workspace.Resolve(workspace.root() + "/a/b.txt", Access::kRead)->relative, "a/b.txt");
  EXPECT_EQ(workspace.Resolve(".", Access::kRead)->relative, ".");
  EXPECT_FALSE(workspace.Resolve("a/new/file", Access::kWrite)->exists);
}

TEST(Workspace, KnowsTheNameThatItWasOpenedBy) {
  TemporaryFolder folder;
  folder.Write(folder.ws("a.txt"), "x");
  fs::create_directory_symlink(folder.ws(), folder.path() / "alias");
  const Workspace workspace = *Workspace::Open((folder.path() / "alias").string());
  EXPECT_EQ(workspace.root(), fs::canonical(folder.ws()).string());
  EXPECT_EQ(workspace.Resolve((folder.path() / "alias/a.txt").string(), Access::kRead)->relative, "a.txt");
}

class WorkspaceEscape : public testing::TestWithParam<Access> {};
INSTANTIATE_TEST_SUITE_P(EveryAccess, WorkspaceEscape, testing::Values(Access::kRead, Access::kWrite));

TEST_P(WorkspaceEscape, IsRefusedAndNamesPathAndRule) {
  TemporaryFolder folder;
  folder.Write(folder.outside("secret"), "x");
  folder.Write(folder.ws("a/b.txt"), "x");
  fs::create_symlink(folder.outside("secret"), folder.ws("absolute"));
  fs::create_symlink("../outside/secret", folder.ws("relative"));
  fs::create_directory_symlink("../../outside", folder.ws("a/folder"));
  fs::create_symlink("absolute", folder.ws("chain"));
  fs::create_symlink("../outside/not-there", folder.ws("dangling"));
  const Workspace workspace = folder.Open();
  const std::string sibling = workspace.root() + "-other/x";
  for (const std::string& path :
       {std::string("../outside/secret"), std::string("a/../../outside/secret"), std::string("a/../../ws/a/b.txt"),
        std::string("/etc/passwd"), std::string("/"), sibling, workspace.root() + "/../outside/secret",
        std::string("absolute"), std::string("relative"), std::string("a/folder/secret"), std::string("chain"),
        std::string("dangling")}) {
    const auto resolved = workspace.Resolve(path, GetParam());
    ASSERT_FALSE(resolved.ok()) << path;
    EXPECT_EQ(resolved.status().code(), absl::StatusCode::kPermissionDenied) << path;
    EXPECT_THAT(Message(resolved.status()), HasSubstr(path));
    EXPECT_THAT(Message(resolved.status()), HasSubstr("leaves the workspace"));
  }
}

TEST(Workspace, FollowsLinksThatStayInside) {
  TemporaryFolder folder;
  folder.Write(folder.ws("real/file"), "x");
  fs::create_directory_symlink("../ws/real", folder.ws("out-and-in"));
  fs::create_directory_symlink("real", folder.ws("link"));
  fs::create_symlink(fs::canonical(folder.ws()) / "real/file", folder.ws("absolute"));
  const Workspace workspace = folder.Open();
  EXPECT_EQ(workspace.Resolve("link/file", Access::kWrite)->relative, "real/file");
  EXPECT_EQ(workspace.Resolve("absolute", Access::kWrite)->relative, "real/file");
  EXPECT_EQ(workspace.Resolve("link/../real/file", Access::kRead)->relative, "real/file");
  EXPECT_FALSE(workspace.Resolve("out-and-in/file", Access::kRead).ok());
}

TEST(Workspace, RefusesLinksInACircle) {
  TemporaryFolder folder;
  fs::create_symlink("two", folder.ws("one"));
  fs::create_symlink("one", folder.ws("two"));
  const auto resolved = folder.Open().Resolve("one/x", Access::kRead);
  ASSERT_FALSE(resolved.ok());
  EXPECT_THAT(Message(resolved.status()), HasSubstr("circle"));
}

TEST(Workspace, DoesNotWriteThroughADanglingLink) {
  TemporaryFolder folder;
  fs::create_symlink("nothing", folder.ws("dangling"));
  const Workspace workspace = folder.Open();
  EXPECT_FALSE(workspace.Resolve("dangling", Access::kWrite).ok());
  EXPECT_FALSE(workspace.Resolve("dangling/inner", Access::kWrite).ok());
  const auto removed = workspace.Resolve("dangling", Access::kRemove);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_TRUE(removed->is_link);
  EXPECT_EQ(removed->relative, "dangling");
}

TEST(Workspace, RefusesBadPaths) {
  TemporaryFolder folder;
  folder.Write(folder.ws("file"), "x");
  const Workspace workspace = folder.Open();
  EXPECT_FALSE(workspace.Resolve("", Access::kRead).ok());
  EXPECT_FALSE(workspace.Resolve(std::string_view("a\0b", 3), Access::kRead).ok());
  EXPECT_FALSE(workspace.Resolve(std::string(5000, 'a'), Access::kRead).ok());
  EXPECT_FALSE(workspace.Resolve("file/inner", Access::kWrite).ok());
  EXPECT_FALSE(workspace.Resolve("missing/../file", Access::kRead).ok());
}

TEST(Workspace, LeavesTheInsideOfGitToGit) {
  TemporaryFolder folder;
  folder.Write(folder.ws(".git/config"), "x");
  fs::create_directory_symlink(".git", folder.ws("innocent"));
  const Workspace workspace = folder.Open();
  for (const std::string path : {".git/config", ".git", "sub/.GIT/hooks/post-commit", "innocent/config"}) {
    EXPECT_EQ(workspace.Resolve(path, Access::kWrite).status().code(), absl::StatusCode::kPermissionDenied) << path;
  }
  EXPECT_TRUE(workspace.Resolve(".git/config", Access::kRead).ok());
  EXPECT_TRUE(workspace.Resolve(".gitignore", Access::kWrite).ok());
}

class WorkspaceOpening : public testing::TestWithParam<Workspace::Opening> {};
INSTANTIATE_TEST_SUITE_P(KernelAndWalk, WorkspaceOpening,
                         testing::Values(Workspace::Opening::kKernel, Workspace::Opening::kWalk));

TEST_P(WorkspaceOpening, OpensFilesFoldersAndTheRoot) {
  TemporaryFolder folder;
  folder.Write(folder.ws("a/b.txt"), "x");
  const Workspace workspace = folder.Open(GetParam());
  for (const std::string path : {"a/b.txt", "a", "."}) {
    EXPECT_TRUE(workspace.OpenPath(*workspace.Resolve(path, Access::kRead), O_RDONLY).ok()) << path;
  }
  EXPECT_EQ(workspace.OpenPath(*workspace.Resolve("missing", Access::kRead), O_RDONLY).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(WorkspaceOpening, RefusesALinkThatTookThePlaceOfTheFileAfterTheCheck) {
  TemporaryFolder folder;
  folder.Write(folder.outside("b.txt"), "secret");
  folder.Write(folder.ws("a/b.txt"), "x");
  const Workspace workspace = folder.Open(GetParam());
  const ResolvedPath path = *workspace.Resolve("a/b.txt", Access::kRead);
  fs::remove(folder.ws("a/b.txt"));
  fs::create_symlink(folder.outside("b.txt"), folder.ws("a/b.txt"));
  EXPECT_EQ(workspace.OpenPath(path, O_RDONLY).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_P(WorkspaceOpening, RefusesALinkThatTookThePlaceOfAFolderAfterTheCheck) {
  TemporaryFolder folder;
  folder.Write(folder.outside("b.txt"), "secret");
  folder.Write(folder.ws("a/b.txt"), "x");
  const Workspace workspace = folder.Open(GetParam());
  const ResolvedPath path = *workspace.Resolve("a/b.txt", Access::kWrite);
  fs::rename(folder.ws("a"), folder.ws("old"));
  fs::create_directory_symlink(folder.path() / "outside", folder.ws("a"));
  EXPECT_FALSE(workspace.OpenPath(path, O_RDONLY).ok());
  EXPECT_FALSE(workspace.OpenFolderOf(path, /*create=*/true).ok());
}

}  // namespace
}  // namespace holdfast::cli
