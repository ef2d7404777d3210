// Tools on a full disk, and in a workspace that may not be written to: the model is told, files stay as they were.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clients/cli/tools/executor.h"
#include "tests/clients/cli/tools/calls.h"
#include "tests/clients/cli/tools/temporary_folder.h"
#include "tests/clients/cli/tools/test_runner.h"

namespace holdfast::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// No file of this process may have more bytes than this.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// Root may write everywhere; this is somebody else, for a while.
class Nobody {
 public:
  Nobody() {
    if (geteuid() == 0) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~Nobody() {
    if (getuid() == 0) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
};

class ToolDiskTest : public testing::Test {
 protected:
  ToolDiskTest() : workspace_(folder_.Open()), journal_(*Journal::Open(folder_.path() / "journal", "s-1")) {}

  ToolOutcome Run(const quota::v1::ToolCall& call) {
    ToolExecutor executor(ApprovalMode::kFull, journal_.get(),
                          {.workspace = &workspace_, .hidden_variables = {}, .runner = TestRunner()}, nullptr);
    const absl::StatusOr<ToolOutcome> outcome = executor.Execute(call);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *outcome : ToolOutcome();
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.ws()))
      names.push_back(entry.path().filename());
    return names;
  }

  TemporaryFolder folder_;
  Workspace workspace_;
  std::unique_ptr<Journal> journal_;
};

std::string Large() { return std::string(200'000, 'x'); }

TEST_F(ToolDiskTest, APatchThatFindsNoRoomChangesNothingAndLeavesNothingBehind) {
  TemporaryFolder::Write(folder_.ws("a.txt"), "old\n" + Large() + "\n");
  ToolOutcome outcome;
  {
    const FileSizeLimit full(64 * 1024);
    outcome = Run(PatchCall("c1", "*** Update File: a.txt\n@@\n-old\n+new\n"));
    EXPECT_TRUE(Run(PatchCall("c2", "*** Add File: b.txt\n+" + Large() + "\n")).is_error);
  }
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("a.txt"), HasSubstr("cannot be written")));
  EXPECT_EQ(TemporaryFolder::Read(folder_.ws("a.txt")), "old\n" + Large() + "\n");
  EXPECT_THAT(Files(), testing::ElementsAre("a.txt"));
  // With room it works, and is another call.
  EXPECT_FALSE(Run(PatchCall("c3", "*** Update File: a.txt\n@@\n-old\n+new\n")).is_error);
}

TEST_F(ToolDiskTest, AWorkspaceThatMayNotBeWrittenToIsSaidToTheModel) {
  TemporaryFolder::Write(folder_.ws("a.txt"), "old\n");
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  std::filesystem::permissions(folder_.ws(), std::filesystem::perms(0555));
  {
    const Nobody nobody;
    const ToolOutcome changed = Run(PatchCall("c1", "*** Update File: a.txt\n@@\n-old\n+new\n"));
    EXPECT_TRUE(changed.is_error);
    EXPECT_THAT(changed.output, AllOf(HasSubstr("a.txt"), HasSubstr("Permission denied")));
    const ToolOutcome added = Run(PatchCall("c2", "*** Add File: sub/b.txt\n+b\n"));
    EXPECT_TRUE(added.is_error);
    EXPECT_THAT(added.output, AllOf(HasSubstr("sub"), HasSubstr("Permission denied")));
    const ToolOutcome removed = Run(PatchCall("c3", "*** Delete File: a.txt\n"));
    EXPECT_TRUE(removed.is_error);
    EXPECT_FALSE(Run(Call("c4", "list_files", {})).is_error);
    EXPECT_FALSE(Run(Call("c5", "read_file", {{"path", "a.txt"}})).is_error);
  }
  std::filesystem::permissions(folder_.ws(), std::filesystem::perms::owner_all);
  EXPECT_EQ(TemporaryFolder::Read(folder_.ws("a.txt")), "old\n");
  EXPECT_THAT(Files(), testing::ElementsAre("a.txt"));
}

TEST_F(ToolDiskTest, AJournalThatFindsNoRoomRunsNothingAndIsWholeAfterwards) {
  const auto call = ShellCall("c1", "touch ran");
  const std::string file = folder_.path() / "journal" / "s-1.jsonl";
  ASSERT_TRUE(journal_->RecordResult(ShellCall("c0", "true"), {"out", false}).ok());
  const std::string before = TemporaryFolder::Read(file);
  {
    // The line begins to be written, and does not end.
    const FileSizeLimit full(before.size() + 10);
    ToolExecutor executor(ApprovalMode::kFull, journal_.get(),
                          {.workspace = &workspace_, .hidden_variables = {}, .runner = TestRunner()}, nullptr);
    const absl::StatusOr<ToolOutcome> outcome = executor.Execute(call);
    EXPECT_FALSE(outcome.ok());
    EXPECT_THAT(std::string(outcome.status().message()), AllOf(HasSubstr(file), HasSubstr("free some space")));
  }
  EXPECT_EQ(TemporaryFolder::Read(file), before) << "a torn line was left";
  EXPECT_FALSE(std::filesystem::exists(folder_.ws("ran")));
  EXPECT_FALSE(Run(call).is_error);
  EXPECT_TRUE(std::filesystem::exists(folder_.ws("ran")));
}

}  // namespace
}  // namespace holdfast::cli
