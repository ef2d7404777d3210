#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "agent_service/store/sqlite_store.h"
#include "common/sqlite/sqlite.h"
#include "common/sqlite/task_thread.h"
#include "tests/agent_service/store/store_calls.h"
#include "tests/agent_service/store/temporary_directory.h"

namespace holdfast::agent {

// A folder for a database, and an executor for the stores opened on it; stores must end before the fixture.
class SqliteStoreFixture : public ::testing::Test {
 protected:
  const std::filesystem::path& directory() const { return directory_.path(); }
  const std::string& path() const { return path_; }

  Executor executor() {
    return [this](absl::AnyInvocable<void()> task) { executor_.Post(std::move(task)); };
  }
  absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path) {
    return SqliteStore::Open(path, executor());
  }
  absl::StatusOr<std::unique_ptr<SqliteStore>> Open() { return Open(path_); }
  std::unique_ptr<SqliteStore> MustOpen() {
    auto store = Open();
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  // What a person with sqlite3, or a backup, has.
  sqlite::Connection Connect() {
    auto connection = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::seconds(10));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

 private:
  TemporaryDirectory directory_;
  const std::string path_ = (directory_.path() / "sessions.db").string();
  TaskThread executor_;
};

}  // namespace holdfast::agent
