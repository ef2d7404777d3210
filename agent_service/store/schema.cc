#include "agent_service/store/schema.h"

#include <fmt/format.h>

#include <array>

#include "agent_service/store/row_check.h"
#include "agent_service/store/rules.h"
#include "common/sqlite/schema.h"

namespace holdfast::agent {
namespace {

// "HOLD".
constexpr int64_t kApplicationId = 0x484f4c44;

// The log keeps its rowid: measured with events of 100 bytes to 20 KB in random sessions, WITHOUT ROWID wrote at about
// half the speed and read no faster, because large rows leave few keys on a page of the index tree.
constexpr char kFirstSchema[] = R"sql(
CREATE TABLE meta(
  key TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta(key, value) VALUES('generation', 0);

CREATE TABLE log(
  tenant TEXT NOT NULL,
  session_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  type INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(tenant, session_id, sequence)
);

CREATE TABLE sessions(
  tenant TEXT NOT NULL,
  session_id TEXT NOT NULL,
  title TEXT NOT NULL,
  model TEXT NOT NULL,
  workspace TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  updated_us INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  running INTEGER NOT NULL,
  summary BLOB NOT NULL,
  PRIMARY KEY(tenant, session_id)
);
CREATE INDEX sessions_by_update ON sessions(tenant, updated_us DESC, session_id);
CREATE INDEX sessions_running ON sessions(tenant, session_id) WHERE running = 1;
)sql";

// row_check.h; NULL in rows that older releases wrote.
constexpr char kRowChecks[] = "ALTER TABLE log ADD COLUMN row_check INTEGER";

constexpr std::array<const char*, 2> kMigrations = {kFirstSchema, kRowChecks};

absl::Status Damaged(const std::string& path, const std::string& how) {
  return absl::DataLossError(fmt::format(
      "{} is damaged: {}; move it away and restore a backup, or save what can be read with `sqlite3 {} .recover`", path,
      how, path));
}

// Every row as it was written, every session with all of its events.
absl::Status CheckRows(sqlite::Connection& connection, const std::string& path) {
  const absl::StatusOr<int64_t> checked =
      connection.QueryInt("SELECT count(*) FROM pragma_table_info('log') WHERE name = 'row_check'");
  if (!checked.ok()) return checked.status();
  if (*checked == 0) return absl::OkStatus();
  absl::StatusOr<sqlite::Statement> rows = connection.Prepare(
      "SELECT tenant, session_id, sequence, time_us, type, schema_version, bytes, row_check FROM log NOT INDEXED "
      "WHERE row_check IS NOT NULL");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    LogRow event;
    event.sequence = rows->Int(2);
    event.time = FromMicros(rows->Int(3));
    event.type = static_cast<int32_t>(rows->Int(4));
    event.schema_version = static_cast<int32_t>(rows->Int(5));
    event.bytes = rows->Bytes(6);
    if (RowCheck(rows->Bytes(0), rows->Bytes(1), event.sequence, event) != rows->Int(7))
      return Damaged(path,
                     fmt::format("event {} of session {} is not what was written", event.sequence, rows->Bytes(1)));
  }
  const absl::StatusOr<int64_t> incomplete = connection.QueryInt(
      "SELECT count(*) FROM sessions s WHERE s.last_sequence IS NOT (SELECT count(*) FROM log l WHERE l.tenant = "
      "s.tenant "
      "AND l.session_id = s.session_id)");
  if (!incomplete.ok()) return incomplete.status();
  if (*incomplete > 0) return Damaged(path, fmt::format("{} sessions do not have all of their events", *incomplete));
  const absl::StatusOr<int64_t> lost = connection.QueryInt(
      "SELECT count(*) FROM (SELECT DISTINCT tenant, session_id FROM log) l WHERE NOT EXISTS (SELECT 1 FROM sessions s "
      "WHERE s.tenant = l.tenant AND s.session_id = l.session_id)");
  if (!lost.ok()) return lost.status();
  if (*lost > 0) return Damaged(path, fmt::format("{} sessions have events and are not listed", *lost));
  return absl::OkStatus();
}

sqlite::Schema SchemaOf(std::span<const char* const> migrations) {
  return {.application_id = kApplicationId, .program = "agent_service", .migrations = migrations};
}

}  // namespace

std::span<const char* const> SchemaMigrations() { return kMigrations; }

absl::Status CheckDatabase(sqlite::Connection& connection, const std::string& path,
                           std::span<const char* const> migrations) {
  if (absl::Status status = sqlite::CheckDatabase(connection, path, SchemaOf(migrations)); !status.ok()) return status;
  if (!sqlite::IsCheckedWhole(path)) return absl::OkStatus();
  return CheckRows(connection, path);
}

absl::Status Migrate(sqlite::Connection& connection, std::span<const char* const> migrations,
                     const std::function<bool()>& keep_trying) {
  return sqlite::Migrate(connection, SchemaOf(migrations), keep_trying);
}

absl::StatusOr<int64_t> NextGeneration(sqlite::Connection& connection, const std::function<bool()>& keep_trying) {
  int64_t generation = 0;
  absl::Status status = sqlite::InTransaction(connection, keep_trying, [&]() -> absl::Status {
    const absl::StatusOr<int64_t> next =
        connection.QueryInt("UPDATE meta SET value = value + 1 WHERE key = 'generation' RETURNING value");
    if (!next.ok()) return next.status();
    generation = *next;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return generation;
}

}  // namespace holdfast::agent
