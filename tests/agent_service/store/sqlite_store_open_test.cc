// How SqliteStore opens, refuses to open, and what it leaves on disk.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/sqlite/sqlite.h"
#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using SqliteStoreOpen = SqliteStoreFixture;

mode_t ModeOf(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST_F(SqliteStoreOpen, FindsEverythingAgainWithAGreaterGeneration) {
  auto store = MustOpen();
  const int64_t first = store->generation();
  AppendRequest request = MakeAppend("team", "s1", 0, 3, first);
  request.session.running = true;
  ASSERT_TRUE(StoreCalls(store.get()).Append(request).ok());
  store.reset();

  store = MustOpen();
  EXPECT_GT(store->generation(), first);
  StoreCalls calls(store.get());
  EXPECT_THAT(*calls.Read("team", "s1"), SizeIs(3));
  EXPECT_THAT(Ids(*calls.Running()), ::testing::ElementsAre("s1"));
  EXPECT_TRUE(calls.Append(MakeAppend("team", "s1", 3, 1, store->generation())).ok());
  EXPECT_TRUE(absl::IsAborted(calls.Append(MakeAppend("team", "s1", 4, 1, first)).status()));
}

TEST_F(SqliteStoreOpen, ThrowsNoWriteAheadLogAwayWhoseDatabaseIsGone) {
  auto store = MustOpen();
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 0, 3, store->generation())).ok());
  // As a crash leaves them.
  for (const char* suffix : {"", "-wal"})
    fs::copy_file(path() + suffix, directory() / ("crashed.db" + std::string(suffix)));
  store.reset();
  const std::string crashed = (directory() / "crashed.db").string();
  fs::rename(crashed, crashed + ".away");
  const uintmax_t size = fs::file_size(crashed + "-wal");
  for (const bool empty : {false, true}) {
    if (empty) std::ofstream(crashed).flush();
    const auto refused = Open(crashed);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(crashed + "-wal"));
    EXPECT_EQ(fs::file_size(crashed + "-wal"), size);
  }
  fs::rename(crashed + ".away", crashed);
  const auto again = Open(crashed);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(*StoreCalls(again->get()).Read("team", "s1"), SizeIs(3));
}

TEST_F(SqliteStoreOpen, RefusesASecondHolderAndNamesTheLockAndTheProcess) {
  auto store = MustOpen();
  const auto second = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  const std::string message(second.status().message());
  EXPECT_THAT(message, HasSubstr(path() + ".lock"));
  EXPECT_THAT(message, HasSubstr("process " + std::to_string(getpid())));

  store.reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(SqliteStoreOpen, TakesTheSameLockThroughASymbolicLink) {
  auto store = MustOpen();
  const fs::path link = directory() / "link.db";
  fs::create_symlink(path(), link);
  EXPECT_TRUE(absl::IsFailedPrecondition(Open(link.string()).status()));
}

TEST_F(SqliteStoreOpen, MakesMissingFoldersAndFilesForTheOwnerAlone) {
  const fs::path folder = directory() / "state" / "holdfast";
  const fs::path file = folder / "sessions.db";
  const mode_t before = umask(0);
  auto store = Open(file.string());
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(StoreCalls(store->get()).Append(MakeAppend("team", "s1", 0)).ok());
  umask(before);
  EXPECT_EQ(ModeOf(directory() / "state"), 0700U);
  EXPECT_EQ(ModeOf(folder), 0700U);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(ModeOf(file.string() + suffix), 0600U) << suffix;
  }
}

TEST_F(SqliteStoreOpen, NamesThePathThatCannotBeAFolder) {
  std::ofstream(directory() / "file") << "text";
  const auto store = Open((directory() / "file" / "below" / "sessions.db").string());
  EXPECT_TRUE(absl::IsUnavailable(store.status())) << store.status();
  EXPECT_THAT(std::string(store.status().message()), HasSubstr((directory() / "file").string()));
  EXPECT_TRUE(absl::IsInvalidArgument(Open("").status()));
}

TEST_F(SqliteStoreOpen, RefusesADatabaseOfANewerReleaseAndLeavesItAlone) {
  MustOpen().reset();
  auto raw = Connect();
  ASSERT_TRUE(raw.Execute("PRAGMA user_version = 1000").ok());
  const auto store = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(store.status())) << store.status();
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("newer release"));
  EXPECT_EQ(*raw.QueryInt("PRAGMA user_version"), 1000);
  EXPECT_EQ(*raw.QueryInt("SELECT value FROM meta WHERE key = 'generation'"), 1);
}

TEST_F(SqliteStoreOpen, CallsAFileThatIsNoDatabaseDamaged) {
  for (const size_t size : {size_t{5}, size_t{100'000}}) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << std::string(size, 'x');
    const auto store = Open();
    EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(path()));
    EXPECT_THAT(std::string(store.status().message()), HasSubstr("backup"));
    EXPECT_EQ(fs::file_size(path()), size);
  }
}

TEST_F(SqliteStoreOpen, NoticesDamageInTheMiddleOfTheFile) {
  {
    auto store = MustOpen();
    AppendRequest request = MakeAppend("team", "s1", 0, 200);
    for (LogRow& event : request.events) event.bytes.assign(3000, 'x');
    ASSERT_TRUE(StoreCalls(store.get()).Append(request).ok());
  }
  const auto size = static_cast<std::streamoff>(fs::file_size(path()));
  ASSERT_GT(size, 300'000);
  {
    std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(8192);
    file << std::string(static_cast<size_t>(size) - 8192, '\x5a');
  }
  const auto store = Open();
  EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
  EXPECT_THAT(std::string(store.status().message()), HasSubstr(path()));
}

TEST_F(SqliteStoreOpen, KeepsTheWriteAheadLogBoundedWhileItRuns) {
  auto store = MustOpen();
  StoreCalls calls(store.get());
  AppendRequest request = MakeAppend("team", "s1", 0);
  request.events[0].bytes.assign(size_t{1} << 20, 'x');
  for (int i = 0; i < 40; ++i) {
    request.expected_sequence = i;
    ASSERT_TRUE(calls.Append(request).ok());
  }
  EXPECT_EQ(*Connect().QueryText("PRAGMA journal_mode"), "wal");
  // Copied into the database as it grows, not only at the end.
  EXPECT_LT(fs::file_size(path() + "-wal"), uintmax_t{20} << 20);
}

TEST_F(SqliteStoreOpen, LetsPeopleLookInsideWhileItRuns) {
  auto store = MustOpen();
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 0, 2)).ok());
  auto person = Connect();
  EXPECT_EQ(*person.QueryInt("SELECT count(*) FROM log WHERE tenant = 'team'"), 2);
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 2)).ok());
  EXPECT_EQ(*person.QueryInt("SELECT last_sequence FROM sessions"), 3);
}

}  // namespace
}  // namespace holdfast::agent
