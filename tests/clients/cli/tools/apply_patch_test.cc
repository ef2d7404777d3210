#include "clients/cli/tools/apply_patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class ApplyPatchTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Apply(const std::string& body) {
    return ApplyPatch(folder_.Open(), "*** Begin Patch\n" + body + "*** End Patch\n");
  }
  std::string Error(const std::string& body) {
    const auto result = Apply(body);
    return result.ok() ? "applied" : std::string(result.status().message());
  }
  PatchPlan Plan(const std::string& body) {
    auto plan = PlanPatch(folder_.Open(), *ParsePatch("*** Begin Patch\n" + body + "*** End Patch\n"));
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *std::move(plan);
  }
  size_t FilesInWorkspace() {
    size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.ws())) count += entry.is_directory() ? 0 : 1;
    return count;
  }

  TemporaryFolder folder_;
};

TEST_F(ApplyPatchTest, AddsUpdatesMovesAndDeletes) {
  folder_.Write(folder_.ws("old.txt"), "a\nb\n");
  folder_.Write(folder_.ws("edit.txt"), "1\n2\n");
  folder_.Write(folder_.ws("gone.txt"), "x");
  const auto summary = Apply(
      "*** Add File: deep/er/new.txt\n+hello\n*** Update File: old.txt\n*** Move to: sub/moved.txt\n-b\n+B\n"
      "*** Update File: edit.txt\n-2\n+two\n+three\n*** Delete File: gone.txt\n");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(*summary, "A deep/er/new.txt (+1)\nM old.txt → sub/moved.txt (+1 −1)\nM edit.txt (+2 −1)\nD gone.txt\n");
  EXPECT_EQ(folder_.Read(folder_.ws("deep/er/new.txt")), "hello\n");
  EXPECT_EQ(folder_.Read(folder_.ws("sub/moved.txt")), "a\nB\n");
  EXPECT_EQ(folder_.Read(folder_.ws("edit.txt")), "1\ntwo\nthree\n");
  EXPECT_EQ(FilesInWorkspace(), 3u);
}

TEST_F(ApplyPatchTest, ChangesNothingWhereTheSecondFileDoesNotFit) {
  folder_.Write(folder_.ws("one.txt"), "a\n");
  folder_.Write(folder_.ws("two.txt"), "b\n");
  EXPECT_THAT(
      Error("*** Add File: new.txt\n+x\n*** Update File: one.txt\n-a\n+A\n*** Update File: two.txt\n-nope\n+B\n"),
      AllOf(HasSubstr("two.txt"), HasSubstr("|nope")));
  EXPECT_EQ(folder_.Read(folder_.ws("one.txt")), "a\n");
  EXPECT_EQ(FilesInWorkspace(), 2u);
}

TEST_F(ApplyPatchTest, KeepsTheMode) {
  folder_.Write(folder_.ws("run.sh"), "a\n");
  fs::permissions(folder_.ws("run.sh"), fs::perms(0750));
  ASSERT_TRUE(Apply("*** Update File: run.sh\n-a\n+b\n").ok());
  EXPECT_EQ(fs::status(folder_.ws("run.sh")).permissions(), fs::perms(0750));
  ASSERT_TRUE(Apply("*** Update File: run.sh\n*** Move to: go.sh\n").ok());
  EXPECT_EQ(fs::status(folder_.ws("go.sh")).permissions(), fs::perms(0750));
}

TEST_F(ApplyPatchTest, RefusesWhatWouldOverwriteOrIsMissingOrNamedTwice) {
  folder_.Write(folder_.ws("a"), "a\n");
  folder_.Write(folder_.ws("b"), "b\n");
  fs::create_directory(folder_.ws("folder"));
  fs::create_symlink("a", folder_.ws("link"));
  EXPECT_THAT(Error("*** Add File: a\n+x\n"), HasSubstr("a: exists already"));
  EXPECT_THAT(Error("*** Update File: a\n*** Move to: b\n"), HasSubstr("b: exists already"));
  EXPECT_THAT(Error("*** Update File: missing\n-x\n"), HasSubstr("missing: does not exist"));
  EXPECT_THAT(Error("*** Delete File: missing\n"), HasSubstr("missing: does not exist"));
  EXPECT_THAT(Error("*** Delete File: folder\n"), HasSubstr("is a directory"));
  EXPECT_THAT(Error("*** Update File: folder\n-x\n"), HasSubstr("is a directory"));
  EXPECT_THAT(Error("*** Update File: a\n-a\n+b\n*** Update File: link\n-a\n+c\n"), HasSubstr("named twice"));
  EXPECT_THAT(Error("*** Add File: n\n+x\n*** Add File: n/m\n+x\n"), HasSubstr("as the folder of"));
  EXPECT_THAT(Error("*** Update File: link\n*** Move to: z\n"), HasSubstr("symbolic link is not moved"));
  EXPECT_EQ(folder_.Read(folder_.ws("a")), "a\n");
}

TEST_F(ApplyPatchTest, StaysInTheWorkspace) {
  folder_.Write(folder_.outside("x"), "a\n");
  fs::create_symlink(folder_.outside("x"), folder_.ws("link"));
  fs::create_directory_symlink(folder_.path() / "outside", folder_.ws("folder"));
  folder_.Write(folder_.ws("in"), "a\n");
  for (const std::string body :
       {"*** Add File: ../evil\n+x\n", "*** Add File: folder/evil\n+x\n", "*** Update File: link\n-a\n+b\n",
        "*** Delete File: ../outside/x\n", "*** Delete File: folder/x\n", "*** Update File: in\n*** Move to: ../evil\n",
        "*** Add File: .git/hooks/pre-commit\n+x\n"}) {
    EXPECT_EQ(Apply(body).status().code(), absl::StatusCode::kPermissionDenied) << body;
  }
  EXPECT_EQ(folder_.Read(folder_.outside("x")), "a\n");
  EXPECT_TRUE(fs::exists(folder_.ws("in")));
}

TEST_F(ApplyPatchTest, DeletesALinkAndNotItsTarget) {
  folder_.Write(folder_.outside("x"), "a\n");
  fs::create_symlink(folder_.outside("x"), folder_.ws("link"));
  ASSERT_TRUE(Apply("*** Delete File: link\n").ok());
  EXPECT_FALSE(fs::is_symlink(folder_.ws("link")));
  EXPECT_TRUE(fs::exists(folder_.outside("x")));
}

TEST_F(ApplyPatchTest, UpdatesTheTargetOfALinkAndKeepsTheLink) {
  folder_.Write(folder_.ws("real"), "a\n");
  fs::create_symlink("real", folder_.ws("link"));
  ASSERT_TRUE(Apply("*** Update File: link\n-a\n+b\n").ok());
  EXPECT_TRUE(fs::is_symlink(folder_.ws("link")));
  EXPECT_EQ(folder_.Read(folder_.ws("real")), "b\n");
}

TEST_F(ApplyPatchTest, SaysExactlyWhatChangedWhereWritingFailsMidway) {
  folder_.Write(folder_.ws("one"), "a\n");
  folder_.Write(folder_.ws("three"), "a\n");
  const PatchPlan plan = Plan("*** Update File: one\n-a\n+b\n*** Add File: two\n+x\n*** Update File: three\n-a\n+b\n");
  folder_.Write(folder_.ws("two"), "somebody else's");
  const auto result = WritePatch(folder_.Open(), plan);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()),
              AllOf(HasSubstr("two"), HasSubstr("changed before that"), HasSubstr("M one")));
  EXPECT_EQ(folder_.Read(folder_.ws("one")), "b\n");
  EXPECT_EQ(folder_.Read(folder_.ws("two")), "somebody else's");
  EXPECT_EQ(folder_.Read(folder_.ws("three")), "a\n");
  EXPECT_EQ(FilesInWorkspace(), 3u) << "a temporary file was left";
}

TEST_F(ApplyPatchTest, ChangesNothingWhereStagingFails) {
  folder_.Write(folder_.ws("one"), "a\n");
  const PatchPlan plan = Plan("*** Update File: one\n-a\n+b\n*** Add File: sub/two\n+x\n");
  folder_.Write(folder_.ws("sub"), "a file where a folder should be made");
  const auto result = WritePatch(folder_.Open(), plan);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("No file was changed"));
  EXPECT_EQ(folder_.Read(folder_.ws("one")), "a\n");
  EXPECT_EQ(FilesInWorkspace(), 2u) << "a temporary file was left";
}

TEST_F(ApplyPatchTest, TellsFromTheContentHowFarAPatchCame) {
  folder_.Write(folder_.ws("one"), "a\n");
  folder_.Write(folder_.ws("gone"), "a\n");
  folder_.Write(folder_.ws("from"), "a\n");
  const PatchPlan plan = Plan(
      "*** Add File: new\n+x\n*** Update File: one\n-a\n+b\n*** Delete File: gone\n*** Update File: from\n*** Move to: "
      "to\n-a\n+c\n");
  const Workspace workspace = folder_.Open();
  EXPECT_EQ(InspectPatch(workspace, plan.transitions).progress, PatchProgress::kNothing);
  folder_.Write(folder_.ws("new"), "x\n");
  EXPECT_EQ(InspectPatch(workspace, plan.transitions).progress, PatchProgress::kUnclear);
  fs::remove(folder_.ws("new"));
  ASSERT_TRUE(WritePatch(workspace, plan).ok());
  EXPECT_EQ(InspectPatch(workspace, plan.transitions).progress, PatchProgress::kComplete);
  folder_.Write(folder_.ws("one"), "edited by hand");
  const PatchInspection inspection = InspectPatch(workspace, plan.transitions);
  EXPECT_EQ(inspection.progress, PatchProgress::kUnclear);
  EXPECT_THAT(inspection.report, AllOf(HasSubstr("one: neither"), HasSubstr("new: changed as asked")));
}

TEST_F(ApplyPatchTest, RefusesAFileThatIsTooLarge) {
  folder_.Write(folder_.ws("big"), "a\n");
  fs::resize_file(folder_.ws("big"), 17 * 1024 * 1024);
  EXPECT_THAT(Error("*** Update File: big\n-a\n+b\n"), HasSubstr("too large"));
}

TEST_F(ApplyPatchTest, RefusesANamedPipeWithoutWaitingForIt) {
  ASSERT_EQ(::mkfifo(folder_.ws("pipe").c_str(), 0600), 0);
  EXPECT_THAT(Error("*** Update File: pipe\n-a\n"), HasSubstr("named pipe"));
}

}  // namespace
}  // namespace holdfast::cli
