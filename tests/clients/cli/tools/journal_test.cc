#include "clients/cli/tools/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/clients/cli/tools/calls.h"
#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using State = JournalEntry::State;

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> Open(const std::string& session = "s-1") {
    auto journal = Journal::Open(Folder(), session);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *std::move(journal) : nullptr;
  }
  std::string Folder() const { return folder_.path() / "state" / "journal"; }
  std::string File() const { return Folder() + "/s-1.jsonl"; }
  State StateOf(const Journal& journal, const quota::v1::ToolCall& call) { return journal.Lookup(call)->state; }

  TemporaryFolder folder_;
  const quota::v1::ToolCall call_ = ShellCall("call-1", "make");
};

TEST_F(JournalTest, RemembersStartsAndResultsAcrossRestarts) {
  {
    const auto journal = Open();
    EXPECT_EQ(StateOf(*journal, call_), State::kUnknown);
    ASSERT_TRUE(journal->RecordStarted(call_, {{"a", "absent", "2:x"}}).ok());
    EXPECT_EQ(StateOf(*journal, call_), State::kStarted);
  }
  {
    const auto journal = Open();
    const JournalEntry entry = *journal->Lookup(call_);
    EXPECT_EQ(entry.state, State::kStarted);
    ASSERT_EQ(entry.transitions.size(), 1u);
    EXPECT_EQ(entry.transitions[0].after, "2:x");
    ASSERT_TRUE(journal->RecordResult(call_, {"out\n\"é\"", true}).ok());
  }
  const JournalEntry entry = *Open()->Lookup(call_);
  EXPECT_EQ(entry.state, State::kResult);
  EXPECT_EQ(entry.outcome.output, "out\n\"é\"");
  EXPECT_TRUE(entry.outcome.is_error);
}

TEST_F(JournalTest, TakesAKnownIdWithOtherArgumentsForAnotherCall) {
  const auto journal = Open();
  ASSERT_TRUE(journal->RecordResult(call_, {"out", false}).ok());
  EXPECT_EQ(StateOf(*journal, ShellCall("call-1", "make install")), State::kUnknown);
}

TEST_F(JournalTest, IsReadableByItsOwnerAlone) {
  Open();
  struct stat info = {};
  ASSERT_EQ(::stat(Folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat(File().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(JournalTest, DropsATornLastLineAndGoesOnBehindIt) {
  for (const std::string torn : {"{\"call_id\":\"call-1\",\"sta", "{\"call_id\":\"call-1\"\n", "\0\0\0"}) {
    std::filesystem::remove(File());
    { ASSERT_TRUE(Open()->RecordStarted(call_, {}).ok()); }
    std::ofstream(File(), std::ios::app | std::ios::binary) << torn;
    {
      const auto journal = Open();
      EXPECT_EQ(StateOf(*journal, call_), State::kStarted);
      ASSERT_TRUE(journal->RecordResult(call_, {"out", false}).ok());
    }
    EXPECT_EQ(StateOf(*Open(), call_), State::kResult);
  }
}

TEST_F(JournalTest, RefusesAFileThatIsDamagedInTheMiddle) {
  { ASSERT_TRUE(Open()->RecordStarted(call_, {}).ok()); }
  const std::string good = folder_.Read(File());
  folder_.Write(File(), "garbage\n" + good);
  const auto journal = Journal::Open(Folder(), "s-1");
  EXPECT_EQ(journal.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(journal.status().message()), HasSubstr("s-1.jsonl"));
}

TEST_F(JournalTest, ReadsAFileThatIsLargerThanOneChunk) {
  const std::string output(60000, 'x');
  {
    const auto journal = Open();
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(
          journal->RecordResult(ShellCall(std::to_string(i), "make"), {output + std::to_string(i), false}).ok());
    }
  }
  const auto journal = Open();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(journal->Lookup(ShellCall(std::to_string(i), "make"))->outcome.output, output + std::to_string(i));
  }
}

TEST_F(JournalTest, LetsOneProcessAtATimeRunASessionsTools) {
  const auto first = Open();
  const auto second = Journal::Open(Folder(), "s-1");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("session s-1"));
  EXPECT_NE(Open("s-2"), nullptr);
}

TEST_F(JournalTest, KeepsWhatAKilledProcessRecordedAndFreesItsLock) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto journal = Journal::Open(Folder(), "s-1");
    const bool ok = journal.ok() && (*journal)->RecordStarted(call_, {}).ok();
    const char byte = ok ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_FALSE(Journal::Open(Folder(), "s-1").ok());
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(StateOf(*Open(), call_), State::kStarted);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(JournalTest, MakesFileNamesOfAnyId) {
  EXPECT_EQ(*Journal::FileName("abc-123_X"), "abc-123_X.jsonl");
  EXPECT_EQ(*Journal::FileName("../../etc/x"), "%2E%2E%2F%2E%2E%2Fetc%2Fx.jsonl");
  EXPECT_EQ(*Journal::FileName(std::string("a\0%", 3)), "a%00%25.jsonl");
  EXPECT_FALSE(Journal::FileName("").ok());
  EXPECT_FALSE(Journal::FileName(std::string(81, 'a')).ok());
  EXPECT_LE(Journal::FileName(std::string(80, '/'))->size(), 255u);
}

TEST_F(JournalTest, DoesNotFollowALinkInPlaceOfItsFile) {
  Open("other");
  std::filesystem::create_symlink(folder_.outside("x"), File());
  EXPECT_FALSE(Journal::Open(Folder(), "s-1").ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.outside("x")));
}

}  // namespace
}  // namespace holdfast::cli
