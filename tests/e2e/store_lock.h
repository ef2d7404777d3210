#pragma once

#include <sqlite3.h>

#include <filesystem>

namespace holdfast::test {

// Holds the write lock of agent_service's database, as a backup would: while it lives nothing is committed, what is
// there can be read.
class StoreLock {
 public:
  explicit StoreLock(const std::filesystem::path& database);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

  // Events of this kind in all logs. `field`: of SessionEvent.kind.
  int Count(int field) const;

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace holdfast::test
