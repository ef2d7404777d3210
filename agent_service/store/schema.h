#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::agent {

// Element i brings a database from `PRAGMA user_version` i to i + 1. A released element never changes.
std::span<const char* const> SchemaMigrations();

// Whether this program may use the database: FAILED_PRECONDITION for a newer schema (written by a newer release) and
// for another program's database, DATA_LOSS for one that is damaged. Changes nothing. `path` is for the messages.
absl::Status CheckDatabase(sqlite::Connection& connection, const std::string& path,
                           std::span<const char* const> migrations);

// Runs the migrations that the database has not seen, all in one transaction.
absl::Status Migrate(sqlite::Connection& connection, std::span<const char* const> migrations,
                     const std::function<bool()>& keep_trying);

// Counts the store's generation up, durably, and returns the new one; the first is 1.
absl::StatusOr<int64_t> NextGeneration(sqlite::Connection& connection, const std::function<bool()>& keep_trying);

}  // namespace holdfast::agent
