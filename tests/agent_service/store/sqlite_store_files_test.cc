// A store whose files are taken from it while it runs.
#include <filesystem>
#include <fstream>

#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SqliteStoreFiles : public SqliteStoreFixture {
 protected:
  SqliteStoreFiles() { fs::create_directory(folder_); }

  std::unique_ptr<SqliteStore> MustOpenIn() {
    auto store = Open(database_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  static absl::Status Look(SqliteStore& store) {
    Awaited<absl::Status> looked;
    store.CheckFiles(looked.Callback());
    return looked.Get();
  }
  static void ExpectNothingIsTaken(SqliteStore& store, const std::string& named) {
    const absl::Status status = Look(store);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
    StoreCalls calls(&store);
    EXPECT_EQ(calls.Append(MakeAppend("team", "s1", 1)).status(), status);
    EXPECT_EQ(calls.Append(MakeAppend("team", "new", 0)).status(), status);
    EXPECT_EQ(calls.Delete("team", "s1"), status);
    EXPECT_THAT(*calls.Read("team", "s1"), SizeIs(1)) << "what was there can be read, and exported";
  }

  const fs::path folder_ = directory() / "store";
  const std::string database_ = (folder_ / "sessions.db").string();
};

TEST_F(SqliteStoreFiles, ThatAreDeletedWithTheirFolderEndItsWrites) {
  auto store = MustOpenIn();
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 0)).ok());
  EXPECT_TRUE(Look(*store).ok());
  fs::remove_all(folder_);
  ExpectNothingIsTaken(*store, database_ + " was deleted");
}

TEST_F(SqliteStoreFiles, ThatAreReplacedEndItsWrites) {
  auto store = MustOpenIn();
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 0)).ok());
  std::ofstream(folder_ / "backup") << "an older one";
  fs::rename(folder_ / "backup", database_);
  ExpectNothingIsTaken(*store, database_ + " was replaced");
}

TEST_F(SqliteStoreFiles, ThatArePutBackAreWrittenOn) {
  auto store = MustOpenIn();
  StoreCalls calls(store.get());
  ASSERT_TRUE(calls.Append(MakeAppend("team", "s1", 0)).ok());
  fs::rename(folder_, directory() / "away");
  ExpectNothingIsTaken(*store, database_ + " was deleted or moved away");
  fs::rename(directory() / "away", folder_);
  EXPECT_TRUE(Look(*store).ok());
  EXPECT_TRUE(calls.Append(MakeAppend("team", "s1", 1)).ok());
  store.reset();
  store = MustOpenIn();
  EXPECT_THAT(*StoreCalls(store.get()).Read("team", "s1"), SizeIs(2));
}

TEST_F(SqliteStoreFiles, AnOrderlyRestartSavesWhatWasInALogThatIsGone) {
  auto store = MustOpenIn();
  ASSERT_TRUE(StoreCalls(store.get()).Append(MakeAppend("team", "s1", 0)).ok());
  fs::remove(database_ + "-wal");
  ExpectNothingIsTaken(*store, database_ + "-wal was deleted");
  store.reset();
  store = MustOpenIn();
  EXPECT_THAT(*StoreCalls(store.get()).Read("team", "s1"), SizeIs(1));
}

}  // namespace
}  // namespace holdfast::agent
