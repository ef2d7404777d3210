#include "agent_service/store/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/sqlite/database_files.h"
#include "tests/agent_service/store/temporary_directory.h"

namespace holdfast::agent {
namespace {

using ::testing::HasSubstr;

class Schema : public ::testing::Test {
 protected:
  Schema() { EXPECT_TRUE(MakeDatabaseFile(path_).ok()); }

  sqlite::Connection Connect() {
    auto connection = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::seconds(10));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  static bool Never() { return false; }

  TemporaryDirectory directory_;
  const std::string path_ = (directory_.path() / "sessions.db").string();
};

TEST_F(Schema, MigratesAnOlderDatabaseForwardAndKeepsItsRows) {
  const std::array<const char*, 1> older = {"CREATE TABLE t(a INTEGER NOT NULL)"};
  const std::array<const char*, 3> newer = {older[0], "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7",
                                            "UPDATE t SET b = b + a"};
  sqlite::Connection connection = Connect();
  ASSERT_TRUE(Migrate(connection, older, Never).ok());
  ASSERT_TRUE(connection.Execute("INSERT INTO t(a) VALUES(3)").ok());

  ASSERT_TRUE(CheckDatabase(connection, path_, newer).ok());
  ASSERT_TRUE(Migrate(connection, newer, Never).ok());
  EXPECT_EQ(*connection.QueryInt("PRAGMA user_version"), 3);
  EXPECT_EQ(*connection.QueryInt("SELECT b FROM t"), 10);

  ASSERT_TRUE(Migrate(connection, newer, Never).ok());
  EXPECT_EQ(*connection.QueryInt("SELECT b FROM t"), 10) << "a migration ran twice";
}

TEST_F(Schema, LeavesTheOldVersionWhenAMigrationFails) {
  const std::array<const char*, 1> older = {"CREATE TABLE t(a INTEGER NOT NULL)"};
  const std::array<const char*, 3> broken = {older[0], "CREATE TABLE u(a)", "INSERT INTO nowhere VALUES(1)"};
  sqlite::Connection connection = Connect();
  ASSERT_TRUE(Migrate(connection, older, Never).ok());
  EXPECT_FALSE(Migrate(connection, broken, Never).ok());
  EXPECT_FALSE(connection.InTransaction());
  EXPECT_EQ(*connection.QueryInt("PRAGMA user_version"), 1);
  EXPECT_EQ(*connection.QueryInt("SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 0);
}

TEST_F(Schema, RefusesANewerVersionAndSaysWhatToDo) {
  sqlite::Connection connection = Connect();
  ASSERT_TRUE(Migrate(connection, SchemaMigrations(), Never).ok());
  ASSERT_TRUE(connection.Execute("PRAGMA user_version = 99").ok());
  const absl::Status status = CheckDatabase(connection, path_, SchemaMigrations());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr(path_));
  EXPECT_THAT(message, HasSubstr("99"));
  EXPECT_THAT(message, HasSubstr("newer release"));
}

TEST_F(Schema, RefusesTheDatabaseOfAnotherProgram) {
  sqlite::Connection connection = Connect();
  ASSERT_TRUE(connection.Execute("CREATE TABLE bookmarks(url TEXT)").ok());
  const absl::Status status = CheckDatabase(connection, path_, SchemaMigrations());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
}

TEST_F(Schema, CountsGenerationsAcrossConnections) {
  {
    sqlite::Connection connection = Connect();
    ASSERT_TRUE(Migrate(connection, SchemaMigrations(), Never).ok());
    EXPECT_EQ(*NextGeneration(connection, Never), 1);
    EXPECT_EQ(*NextGeneration(connection, Never), 2);
  }
  sqlite::Connection connection = Connect();
  EXPECT_EQ(*NextGeneration(connection, Never), 3);
}

// The lists must not sort or scan: with years of sessions that is what a page costs.
TEST_F(Schema, ServesEachQueryFromAnIndex) {
  sqlite::Connection connection = Connect();
  ASSERT_TRUE(Migrate(connection, SchemaMigrations(), Never).ok());
  const auto plan = [&connection](const std::string& sql) {
    auto statement = connection.Prepare("EXPLAIN QUERY PLAN " + sql);
    EXPECT_TRUE(statement.ok()) << statement.status();
    std::string text;
    while (*statement->Step()) text += statement->Bytes(3) + "\n";
    return text;
  };
  const std::string page = plan(
      "SELECT title FROM sessions WHERE tenant = ?1 AND updated_us <= ?3 AND (updated_us < ?3 OR session_id > ?4) "
      "ORDER BY updated_us DESC, session_id LIMIT ?2");
  EXPECT_THAT(page, HasSubstr("USING INDEX sessions_by_update (tenant=? AND updated_us<?)"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("TEMP B-TREE")));
  const std::string running = plan("SELECT title FROM sessions WHERE running = 1 ORDER BY tenant, session_id");
  EXPECT_THAT(running, HasSubstr("sessions_running"));
  EXPECT_THAT(running, ::testing::Not(HasSubstr("TEMP B-TREE")));
}

}  // namespace
}  // namespace holdfast::agent
