// What agent_service says of a store that it cannot use: exit 1, the file and the remedy; and it leaves the file alone.
// One that it cannot use any more ends nothing.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/process.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using test::Process;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class StoreAtStart : public testing::Test {
 protected:
  // The database is in a folder of its own, which others may enter: some tests start agent_service as nobody.
  StoreAtStart() {
    fs::permissions(folder_.path(), fs::perms::all);
    fs::create_directory(folder_.path("store"));
    fs::permissions(folder_.path("store"), fs::perms::all);
  }

  std::string Database() const { return folder_.path("store/sessions.db"); }
  std::unique_ptr<Process> Start(const std::vector<std::string>& before = {}) const {
    std::vector<std::string> command = before;
    for (const std::string& word : {test::Program("agent_service"), std::string("--grpc"), std::string("127.0.0.1:0"),
                                    std::string("--metrics"), std::string("127.0.0.1:0"), std::string("--quota"),
                                    std::string("127.0.0.1:1"), std::string("--store"), "sqlite:" + Database()})
      command.push_back(word);
    return std::make_unique<Process>(command);
  }
  // A start and an orderly stop.
  void MakeDatabase(const std::vector<std::string>& before = {}) const {
    const auto process = Start(before);
    ASSERT_TRUE(process->WaitForLine(Process::Stream::kErr, "listening:")) << process->err();
    process->Signal(SIGTERM);
    ASSERT_EQ(process->WaitForExit(), 0) << process->err();
  }
  // What it says before it exits with 1.
  std::string Refusal(const std::vector<std::string>& before = {}) const {
    const auto process = Start(before);
    EXPECT_EQ(process->WaitForExit(), 1) << process->err();
    EXPECT_THAT(process->err(), HasSubstr("agent_service: "));
    EXPECT_THAT(process->err(), Not(HasSubstr("listening:")));
    return process->err();
  }
  // Root may read and write everything: what others may not is tried as somebody else.
  static std::vector<std::string> AsNobody() {
    if (geteuid() != 0) return {};
    return {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  test::TemporaryFolder folder_;
};

TEST_F(StoreAtStart, AReadOnlyFileIsNamedWithItsRemedy) {
  MakeDatabase(AsNobody());
  ASSERT_EQ(chmod(Database().c_str(), 0444), 0);
  EXPECT_THAT(Refusal(AsNobody()), AllOf(HasSubstr(Database()), HasSubstr("owner"), HasSubstr("mode")));
}

TEST_F(StoreAtStart, AReadOnlyFolderIsNamedWithItsRemedy) {
  fs::permissions(folder_.path("store"),
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  EXPECT_THAT(Refusal(AsNobody()),
              AllOf(HasSubstr(folder_.path("store")), HasSubstr("Permission denied"), HasSubstr("another store")));
  fs::permissions(folder_.path("store"), fs::perms::all);
}

TEST_F(StoreAtStart, AFileOfSomebodyElseIsNamedWithItsRemedy) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a file of somebody else";
  MakeDatabase();
  EXPECT_THAT(Refusal(AsNobody()),
              AllOf(HasSubstr(Database()), HasSubstr("Permission denied"), HasSubstr("another store")));
}

TEST_F(StoreAtStart, AFolderInThePlaceOfTheFileIsNamed) {
  fs::create_directory(Database());
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database()), HasSubstr("unable to open")));
}

TEST_F(StoreAtStart, AFullDiskIsNamedWithItsRemedy) {
  EXPECT_THAT(Refusal({"prlimit", "--fsize=0"}), AllOf(HasSubstr(Database()), HasSubstr("free some")));
  MakeDatabase();
  const std::string before = Bytes(Database());
  EXPECT_THAT(Refusal({"prlimit", "--fsize=0"}), AllOf(HasSubstr(Database()), HasSubstr("free some")));
  EXPECT_EQ(Bytes(Database()), before);
  MakeDatabase();
}

// Not a limit that stands for a full disk, but one.
TEST_F(StoreAtStart, AFileSystemWithoutRoomIsNamedWithItsRemedyAndServesOnceThereIsSome) {
  const std::string store = folder_.path("store");
  if (mount("none", store.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "mounting is not allowed here";
  {
    std::ofstream filler(store + "/filler", std::ios::binary);
    const std::string page(4096, 'x');
    while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database()), HasSubstr("free some")));
  fs::remove(store + "/filler");
  MakeDatabase();
  EXPECT_EQ(umount2(store.c_str(), MNT_DETACH), 0);
}

TEST_F(StoreAtStart, ALockThatAnotherProgramHoldsIsNamedWithItsRemedy) {
  MakeDatabase();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(Database().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database()), HasSubstr("locked by another process"), HasSubstr("end what")));
  ASSERT_EQ(sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  MakeDatabase();
}

TEST_F(StoreAtStart, AnotherAgentServiceIsNamedWithItsProcess) {
  const auto first = Start();
  ASSERT_TRUE(first->WaitForLine(Process::Stream::kErr, "listening:")) << first->err();
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database() + ".lock"), HasSubstr(std::to_string(first->pid())),
                               HasSubstr("choose another store")));
}

TEST_F(StoreAtStart, DamageIsNamedWithItsRemedyAndTheFileIsLeftAlone) {
  MakeDatabase();
  const std::string good = Bytes(Database());
  ASSERT_GT(good.size(), 8192U);
  const std::pair<const char*, std::string> damages[] = {
      {"another file", "this is no database, but has its name\n"},
      {"a header that is overwritten", std::string(100, 'x') + good.substr(100)},
      {"pages that are overwritten", good.substr(0, 4096) + std::string(good.size() - 4096, 'x')},
      {"a file that was cut", good.substr(0, good.size() / 2)},
      {"a file that was cut within its first page", good.substr(0, 700)},
  };
  for (const auto& [what, bytes] : damages) {
    SCOPED_TRACE(what);
    std::ofstream(Database(), std::ios::binary | std::ios::trunc) << bytes;
    EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database()), HasSubstr("damaged"), HasSubstr("restore a backup"),
                                 HasSubstr(".recover")));
    EXPECT_EQ(Bytes(Database()), bytes);
  }
  std::ofstream(Database(), std::ios::binary | std::ios::trunc) << good;
  MakeDatabase();
}

TEST_F(StoreAtStart, ANewerSchemaIsNamedWithItsVersionAndTheRemedy) {
  MakeDatabase();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(Database().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 7", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(Database()), HasSubstr("version 7"), HasSubstr("newer release")));
}

// Whether the health checks of the process that said `listening` find it serving.
bool Serves(const std::string& listening) {
  const size_t begin = listening.find("grpc ") + 5;
  const std::string address = listening.substr(begin, listening.find(',', begin) - begin);
  return Process({test::Program("agent_service"), "--health", address}).WaitForExit() == 0;
}

TEST_F(StoreAtStart, OneThatIsTakenAwayLaterIsNamedWithItsRemedyAndServesAgainOnceItIsPutBack) {
  const auto process = Start();
  const auto listening = process->WaitForLine(Process::Stream::kErr, "listening:");
  ASSERT_TRUE(listening) << process->err();
  fs::rename(folder_.path("store"), folder_.path("away"));
  const auto line = process->WaitForLine(Process::Stream::kErr, "was deleted or moved away");
  ASSERT_TRUE(line) << process->err();
  EXPECT_THAT(*line, AllOf(HasSubstr(Database()), HasSubstr("put the file back"), HasSubstr("restart")));
  EXPECT_FALSE(Serves(*listening));
  fs::rename(folder_.path("away"), folder_.path("store"));
  ASSERT_TRUE(process->WaitForLine(Process::Stream::kErr, "in its place again")) << process->err();
  EXPECT_TRUE(Serves(*listening));
}

}  // namespace
}  // namespace holdfast::agent
