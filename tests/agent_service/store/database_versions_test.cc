// Databases that releases have written (tests/agent_service/store/released) go on under this program.
#include <array>
#include <filesystem>

#include "agent_service/host/log_row.h"
#include "agent_service/session/session_state.h"
#include "agent_service/store/schema.h"
#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kFinished[] = "1b79b78e342fa0f6e994c99c45c82d50";
constexpr char kRunning[] = "11f6815fe16b085c81262675e554bb92";

class ReleasedDatabase : public SqliteStoreFixture {
 protected:
  ReleasedDatabase() {
    std::filesystem::copy_file(std::string(HOLDFAST_RELEASED_DATABASES) + "/sessions-schema-1.db", path());
    std::filesystem::permissions(path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }

  static SessionState Fold(StoreCalls& calls, const std::string& id) {
    SessionState state;
    const auto rows = calls.Read("default", id);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok()) return state;
    for (const LogRow& row : *rows) {
      const auto event = EventOfRow(row);
      EXPECT_TRUE(event.ok()) << event.status();
      if (event.ok()) state.Apply(*event);
    }
    return state;
  }
  static void ExpectWhole(StoreCalls& calls) {
    const SessionState finished = Fold(calls, kFinished);
    EXPECT_EQ(finished.last_sequence(), 11);
    EXPECT_EQ(finished.turn(), nullptr);
    EXPECT_EQ(finished.model(), "o4-mini");
    EXPECT_EQ(finished.Summary().title(), "look around");
    EXPECT_THAT(finished.conversation(), SizeIs(7));
    EXPECT_EQ(finished.Summary().usage().input_tokens(), 1409);

    const SessionState running = Fold(calls, kRunning);
    ASSERT_NE(running.turn(), nullptr);
    ASSERT_THAT(running.turn()->open_tools, SizeIs(1));
    EXPECT_THAT(running.turn()->open_tools[0].arguments(), HasSubstr("sleep 30"));
    EXPECT_THAT(Ids(*calls.Running()), ::testing::ElementsAre(kRunning));
  }
};

TEST_F(ReleasedDatabase, OpensWithEverythingInItAndCanBeWritten) {
  auto store = MustOpen();
  EXPECT_EQ(store->generation(), 2) << "above that of the process which made it";
  StoreCalls calls(store.get());
  ExpectWhole(calls);
  const auto session = calls.Get("default", kRunning);
  ASSERT_TRUE(session.ok()) << session.status();
  AppendRequest request = MakeAppend("default", kRunning, session->last_sequence, 1, store->generation());
  EXPECT_TRUE(calls.Append(request).ok());
}

// What a later release will do with it, and what this one would do with an older one.
TEST_F(ReleasedDatabase, IsAnOlderOneToAProgramThatKnowsMoreAndKeepsEverything) {
  {
    std::vector<const char*> later(SchemaMigrations().begin(), SchemaMigrations().end());
    later.push_back("ALTER TABLE sessions ADD COLUMN note TEXT NOT NULL DEFAULT 'none'");
    sqlite::Connection connection = Connect();
    ASSERT_EQ(*connection.QueryInt("PRAGMA user_version"), 1);
    ASSERT_TRUE(CheckDatabase(connection, path(), later).ok());
    ASSERT_TRUE(Migrate(connection, later, [] { return false; }).ok());
    EXPECT_EQ(*connection.QueryInt("PRAGMA user_version"), static_cast<int64_t>(later.size()));
    EXPECT_EQ(*connection.QueryInt("SELECT count(*) FROM sessions WHERE note = 'none'"), 2);
  }
  // And back: this program is older than that, and says so.
  const auto refused = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("schema version 3"));
  ASSERT_TRUE(Connect().Execute("PRAGMA user_version = 2").ok());
  auto store = MustOpen();
  StoreCalls calls(store.get());
  ExpectWhole(calls);
}

}  // namespace
}  // namespace holdfast::agent
