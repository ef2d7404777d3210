#include "common/sqlite/schema.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "common/sqlite/database_files.h"

namespace holdfast::sqlite {
namespace {

constexpr uintmax_t kMaxCheckedBytes = uintmax_t{256} << 20;

std::string CheckMark(const std::string& path) { return path + ".check"; }

absl::Status CheckDamage(Connection& connection, const std::string& path) {
  if (!IsCheckedWhole(path)) return absl::OkStatus();
  const absl::StatusOr<std::string> verdict = connection.QueryText("PRAGMA integrity_check(1)");
  if (!verdict.ok()) return verdict.status();
  if (*verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "{} is damaged: {}; move it away and restore a backup, or save what can be read with `sqlite3 {} .recover`", path,
      *verdict, path));
}

}  // namespace

bool IsCheckedWhole(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(CheckMark(path), error)) return true;
  const uintmax_t size = std::filesystem::file_size(path, error);
  return !error && size < kMaxCheckedBytes;
}

void MarkForCheck(const std::string& path) { MakeDatabaseFile(CheckMark(path)).IgnoreError(); }

void RemoveCheckMark(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(CheckMark(path), ignored);
}

absl::StatusOr<Connection> OpenOwnDatabase(const std::string& path, const Schema& schema, Durability durability) {
  constexpr std::chrono::milliseconds kBusyTimeout{500};
  if (absl::Status status = MakeDatabaseFile(path); !status.ok()) return status;
  absl::StatusOr<Connection> connection = Connection::Open(path, Connection::Mode::kReadWrite, kBusyTimeout);
  if (!connection.ok()) return connection.status();
  if (absl::Status status = CheckDatabase(*connection, path, schema); !status.ok()) return status;
  if (const absl::StatusOr<std::string> mode = connection->QueryText("PRAGMA journal_mode = WAL"); !mode.ok()) {
    return mode.status();
  }
  const char* synchronous =
      durability == Durability::kEveryCommit ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  if (absl::Status status = connection->Execute(synchronous); !status.ok()) return status;
  if (absl::Status status = connection->Execute("PRAGMA journal_size_limit = 4194304"); !status.ok()) return status;
  if (absl::Status status = Migrate(*connection, schema, [] { return false; }); !status.ok()) return status;
  return connection;
}

absl::Status InTransaction(Connection& connection, const std::function<bool()>& keep_trying,
                           const std::function<absl::Status()>& work) {
  if (absl::Status status = connection.BeginImmediate(keep_trying); !status.ok()) return status;
  absl::Status status = work();
  if (status.ok()) status = connection.Commit(keep_trying);
  if (!status.ok()) connection.Rollback().IgnoreError();
  return status;
}

absl::Status CheckDatabase(Connection& connection, const std::string& path, const Schema& schema) {
  const absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const absl::StatusOr<int64_t> application = connection.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> objects = connection.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();

  const bool fresh = *version == 0 && *application == 0 && *objects == 0;
  if (!fresh && *application != schema.application_id) {
    return absl::FailedPreconditionError(
        fmt::format("{} is a database of another program: give {} a path of its own", path, schema.program));
  }
  if (*version < 0 || static_cast<uint64_t>(*version) > schema.migrations.size()) {
    return absl::FailedPreconditionError(
        fmt::format("{} has schema version {}, this {} knows versions up to {}: run the newer release that wrote it, "
                    "or restore a backup",
                    path, *version, schema.program, schema.migrations.size()));
  }
  return CheckDamage(connection, path);
}

absl::Status Migrate(Connection& connection, const Schema& schema, const std::function<bool()>& keep_trying) {
  return InTransaction(connection, keep_trying, [&]() -> absl::Status {
    const absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
    if (!version.ok()) return version.status();
    for (size_t next = static_cast<size_t>(*version); next < schema.migrations.size(); ++next) {
      if (absl::Status status = connection.Execute(schema.migrations[next]); !status.ok()) return status;
    }
    return connection.Execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", schema.application_id,
                                          schema.migrations.size()));
  });
}

}  // namespace holdfast::sqlite
