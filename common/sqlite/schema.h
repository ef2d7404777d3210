#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::sqlite {

// What a program keeps in a database of its own.
struct Schema {
  // Lets `file` and us tell our databases from others (https://sqlite.org/pragma.html#pragma_application_id).
  int64_t application_id = 0;
  const char* program = "";  // for messages
  // Element i brings a database from `PRAGMA user_version` i to i + 1. A released element never changes.
  std::span<const char* const> migrations;
};

// Whether `schema`'s program may use the database: FAILED_PRECONDITION for a newer version (written by a newer release)
// and for another program's database, DATA_LOSS for one that is damaged. Changes nothing. `path` is for the messages.
absl::Status CheckDatabase(Connection& connection, const std::string& path, const Schema& schema);

// Checking reads the whole file; one that is so large that a start would take too long is not checked, unless it is
// marked.
bool IsCheckedWhole(const std::string& path);

// An empty file `path`.check beside a database in which damage was met while it was used: the next start checks it,
// however large it is. Does nothing where no file can be made.
void MarkForCheck(const std::string& path);
void RemoveCheckMark(const std::string& path);

// Runs the migrations that the database has not seen, all in one transaction.
absl::Status Migrate(Connection& connection, const Schema& schema, const std::function<bool()>& keep_trying);

enum class Durability {
  kEveryCommit,  // survives a power cut
  kNewestMayGo,  // a power cut may take the latest commits, and leaves the rest whole
};

// A database of the program's own: made (0600) where there is none, checked, in WAL mode, and migrated. For files that
// are small and written by one process at a time; another one's lock is waited for half a second.
absl::StatusOr<Connection> OpenOwnDatabase(const std::string& path, const Schema& schema, Durability durability);

// `work` between BEGIN IMMEDIATE and COMMIT; undone where it fails.
absl::Status InTransaction(Connection& connection, const std::function<bool()>& keep_trying,
                           const std::function<absl::Status()>& work);

}  // namespace holdfast::sqlite
