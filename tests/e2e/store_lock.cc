#include "tests/e2e/store_lock.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace holdfast::test {

StoreLock::StoreLock(const std::filesystem::path& database) {
  constexpr int kPatienceMs = 10'000;
  EXPECT_EQ(sqlite3_open(database.c_str(), &handle_), SQLITE_OK);
  EXPECT_EQ(sqlite3_busy_timeout(handle_, kPatienceMs), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_);
}

StoreLock::~StoreLock() {
  EXPECT_EQ(sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_);
  sqlite3_close(handle_);
}

int StoreLock::Count(int field) const {
  int count = -1;
  const auto take = [](void* out, int, char** columns, char**) {
    *static_cast<int*>(out) = std::atoi(columns[0]);
    return 0;
  };
  const std::string query = fmt::format("SELECT count(*) FROM log WHERE type = {}", field);
  EXPECT_EQ(sqlite3_exec(handle_, query.c_str(), take, &count, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_);
  return count;
}

}  // namespace holdfast::test
