#include "agent_service/store/schema.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "agent_service/store/row_check.h"
#include "agent_service/store/rules.h"

namespace holdfast::agent {
namespace {

// "HOLD"; lets `file` and us tell our databases from others (https://sqlite.org/pragma.html#pragma_application_id).
constexpr int64_t kApplicationId = 0x484f4c44;
// Checking reads the whole file; above this a start would take too long.
constexpr uintmax_t kMaxCheckedBytes = uintmax_t{256} << 20;

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
    if (RowCheck(rows->Bytes(0), rows->Bytes(1), event) != rows->Int(7))
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

absl::Status CheckDamage(sqlite::Connection& connection, const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size >= kMaxCheckedBytes) return absl::OkStatus();
  const absl::StatusOr<std::string> verdict = connection.QueryText("PRAGMA integrity_check(1)");
  if (!verdict.ok()) return verdict.status();
  if (*verdict != "ok") return Damaged(path, *verdict);
  return CheckRows(connection, path);
}

absl::Status InTransaction(sqlite::Connection& connection, const std::function<bool()>& keep_trying,
                           const std::function<absl::Status()>& work) {
  if (absl::Status status = connection.BeginImmediate(keep_trying); !status.ok()) return status;
  absl::Status status = work();
  if (status.ok()) status = connection.Commit(keep_trying);
  if (!status.ok()) connection.Rollback().IgnoreError();
  return status;
}

}  // namespace

std::span<const char* const> SchemaMigrations() { return kMigrations; }

absl::Status CheckDatabase(sqlite::Connection& connection, const std::string& path, size_t known_versions) {
  const absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const absl::StatusOr<int64_t> application = connection.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> objects = connection.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();

  const bool fresh = *version == 0 && *application == 0 && *objects == 0;
  if (!fresh && *application != kApplicationId) {
    return absl::FailedPreconditionError(
        fmt::format("{} is a database of another program: give the store a path of its own", path));
  }
  if (*version < 0 || static_cast<uint64_t>(*version) > known_versions) {
    return absl::FailedPreconditionError(fmt::format(
        "{} has schema version {}, this agent_service knows versions up to {}: run the newer release that wrote it, "
        "or restore a backup",
        path, *version, known_versions));
  }
  return CheckDamage(connection, path);
}

absl::Status Migrate(sqlite::Connection& connection, std::span<const char* const> migrations,
                     const std::function<bool()>& keep_trying) {
  return InTransaction(connection, keep_trying, [&]() -> absl::Status {
    const absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
    if (!version.ok()) return version.status();
    for (size_t next = static_cast<size_t>(*version); next < migrations.size(); ++next) {
      if (absl::Status status = connection.Execute(migrations[next]); !status.ok()) return status;
    }
    return connection.Execute(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, migrations.size()));
  });
}

absl::StatusOr<int64_t> NextGeneration(sqlite::Connection& connection, const std::function<bool()>& keep_trying) {
  int64_t generation = 0;
  absl::Status status = InTransaction(connection, keep_trying, [&]() -> absl::Status {
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
