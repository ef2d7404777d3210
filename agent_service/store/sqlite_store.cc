#include "agent_service/store/sqlite_store.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "agent_service/store/row_check.h"
#include "agent_service/store/rules.h"
#include "agent_service/store/schema.h"
#include "agent_service/store/session_reader.h"
#include "agent_service/store/session_writer.h"
#include "common/sqlite/database_files.h"
#include "common/sqlite/lock_file.h"
#include "common/sqlite/schema.h"
#include "common/sqlite/sqlite.h"
#include "common/sqlite/write_ahead_log.h"

namespace holdfast::agent {
namespace {

constexpr std::chrono::seconds kBusyTimeout{1};
constexpr std::chrono::seconds kOpenPatience{10};
// Up to here the caller's thread computes the row checks (some 0.1 ms), so that the writer, whom all wait for, need
// not; what is larger, an import, is not to keep the caller.
constexpr size_t kCheckedByCaller = size_t{64} << 10;

// WAL with synchronous=FULL syncs the log at each commit (https://sqlite.org/pragma.html#pragma_synchronous). The log
// is copied into the database every 1000 pages (SQLite's default) and cut to the size limit when it starts anew.
constexpr char kPragmas[] =
    "PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL; PRAGMA secure_delete = OFF; "
    "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;";

absl::StatusOr<sqlite::Connection> OpenWriter(const std::string& path) {
  absl::StatusOr<sqlite::Connection> connection =
      sqlite::Connection::Open(path, sqlite::Connection::Mode::kReadWrite, kBusyTimeout);
  if (!connection.ok()) return connection.status();
  const auto migrations = SchemaMigrations();
  if (absl::Status status = CheckDatabase(*connection, path, migrations); !status.ok()) return status;
  const absl::StatusOr<std::string> mode = connection->QueryText("PRAGMA journal_mode = WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return absl::FailedPreconditionError(
        fmt::format("the file system of {} cannot hold SQLite's write-ahead log: use a local disk", path));
  }
  if (absl::Status status = connection->Execute(kPragmas); !status.ok()) return status;
  const auto give_up = std::chrono::steady_clock::now() + kOpenPatience;
  const auto keep_trying = [give_up] { return std::chrono::steady_clock::now() < give_up; };
  if (absl::Status status = Migrate(*connection, migrations, keep_trying); !status.ok()) return status;
  return connection;
}

absl::StatusOr<int64_t> CountUp(sqlite::Connection& connection) {
  const auto give_up = std::chrono::steady_clock::now() + kOpenPatience;
  return NextGeneration(connection, [give_up] { return std::chrono::steady_clock::now() < give_up; });
}

const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace

// In the order in which it is made; taken apart the other way round. The writing connection closes last, since it alone
// may copy the write-ahead log into the database.
struct SqliteStore::Database {
  // What a read or a write finds damaged, the next start looks for.
  template <typename Result>
  Result Noting(Result result) const {
    if (absl::IsDataLoss(StatusOf(result))) sqlite::MarkForCheck(path);
    return result;
  }

  std::string path;
  LockFile lock;
  sqlite::Connection write_connection;
  SessionWriter writer;
  sqlite::Connection read_connection;
  SessionReader reader;
  sqlite::OpenFiles files;
};

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path, Executor executor) {
  const absl::StatusOr<std::string> resolved = ResolveDatabasePath(path);
  if (!resolved.ok()) return resolved.status();
  if (absl::Status status = MakeParentDirectories(*resolved); !status.ok()) return status;
  absl::StatusOr<LockFile> lock = LockFile::Acquire(*resolved + ".lock", "agent_service");
  if (!lock.ok()) return lock.status();
  if (absl::Status status = sqlite::CheckLogHasDatabase(*resolved); !status.ok()) return status;
  if (absl::Status status = MakeDatabaseFile(*resolved); !status.ok()) return status;
  if (absl::Status status = sqlite::CheckLog(*resolved); !status.ok()) return status;

  absl::StatusOr<sqlite::Connection> write_connection = OpenWriter(*resolved);
  if (!write_connection.ok()) return write_connection.status();
  const absl::StatusOr<int64_t> generation = CountUp(*write_connection);
  if (!generation.ok()) return generation.status();
  absl::StatusOr<SessionWriter> writer = SessionWriter::Create(*write_connection);
  if (!writer.ok()) return writer.status();
  absl::StatusOr<sqlite::Connection> read_connection =
      sqlite::Connection::Open(*resolved, sqlite::Connection::Mode::kReadOnly, kBusyTimeout);
  if (!read_connection.ok()) return read_connection.status();
  absl::StatusOr<SessionReader> reader = SessionReader::Create(*read_connection);
  if (!reader.ok()) return reader.status();

  std::unique_ptr<Database> database(new Database{.path = *resolved,
                                                  .lock = *std::move(lock),
                                                  .write_connection = *std::move(write_connection),
                                                  .writer = *std::move(writer),
                                                  .read_connection = *std::move(read_connection),
                                                  .reader = *std::move(reader),
                                                  .files = sqlite::OpenFiles(*resolved)});
  absl::StatusOr<std::unique_ptr<GroupCommit>> commits =
      GroupCommit::Create(database->write_connection, executor, [&files = database->files] { return files.Look(); });
  if (!commits.ok()) return commits.status();
  sqlite::RemoveCheckMark(*resolved);
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(database), *generation, *std::move(commits), std::move(executor)));
}

SqliteStore::SqliteStore(std::unique_ptr<Database> database, int64_t generation, std::unique_ptr<GroupCommit> commits,
                         Executor executor)
    : executor_(std::move(executor)),
      generation_(generation),
      database_(std::move(database)),
      commits_(std::move(commits)) {}

SqliteStore::~SqliteStore() = default;

void SqliteStore::Append(AppendRequest request, Callback<int64_t> done) {
  if (absl::Status status = CheckAppend(request); !status.ok()) return Finish<int64_t>(std::move(done), status);
  if (absl::Status status = database_->files.LastSeen(); !status.ok()) return Finish<int64_t>(std::move(done), status);
  size_t bytes = request.session.summary.size();
  for (const LogRow& event : request.events) bytes += event.bytes.size();
  std::vector<int64_t> checks;
  if (bytes <= kCheckedByCaller) checks = RowChecks(request);
  const int64_t before = request.expected_sequence;
  const auto count = static_cast<int64_t>(request.events.size());
  commits_->Submit({.bytes = bytes,
                    .apply =
                        [this, checks = std::move(checks), request = std::move(request)]() mutable {
                          if (checks.empty()) checks = RowChecks(request);
                          return database_->Noting(database_->writer.Append(request, checks));
                        },
                    .done =
                        [before, count, done = std::move(done)](absl::Status status) mutable {
                          if (!status.ok()) return std::move(done)(std::move(status));
                          std::move(done)(before + count);
                        }});
}

void SqliteStore::Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
                       Callback<std::vector<LogRow>> done) {
  if (absl::Status status = CheckRead(tenant, session_id, limit); !status.ok()) {
    return Finish<std::vector<LogRow>>(std::move(done), status);
  }
  ReadWith<std::vector<LogRow>>([this, tenant = std::move(tenant), session_id = std::move(session_id), after_sequence,
                                 limit] { return database_->reader.Read(tenant, session_id, after_sequence, limit); },
                                std::move(done));
}

void SqliteStore::GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) {
  ReadWith<SessionRow>([this, tenant = std::move(tenant),
                        session_id = std::move(session_id)] { return database_->reader.Get(tenant, session_id); },
                       std::move(done));
}

void SqliteStore::ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) {
  if (absl::Status status = CheckList(tenant, page_size); !status.ok()) {
    return Finish<SessionPage>(std::move(done), status);
  }
  ReadWith<SessionPage>(
      [this, tenant = std::move(tenant), page_size, page_token = std::move(page_token)] {
        return database_->reader.List(tenant, page_size, page_token);
      },
      std::move(done));
}

void SqliteStore::ListRunning(Callback<std::vector<SessionRow>> done) {
  ReadWith<std::vector<SessionRow>>([this] { return database_->reader.ListRunning(); }, std::move(done));
}

void SqliteStore::DeleteSession(std::string tenant, std::string session_id, Done done) {
  if (absl::Status status = database_->files.LastSeen(); !status.ok())
    return FinishDone(std::move(done), std::move(status));
  commits_->Submit({.apply =
                        [this, tenant = std::move(tenant), session_id = std::move(session_id)] {
                          return database_->Noting(database_->writer.Delete(tenant, session_id));
                        },
                    .done = std::move(done)});
}

void SqliteStore::CheckFiles(Done done) {
  read_thread_.Post([this, done = std::move(done)]() mutable { FinishDone(std::move(done), database_->files.Look()); });
}

void SqliteStore::FinishDone(Done done, absl::Status status) {
  executor_([done = std::move(done), status = std::move(status)]() mutable { std::move(done)(std::move(status)); });
}

template <typename T>
void SqliteStore::Finish(Callback<T> done, absl::StatusOr<T> result) {
  executor_([done = std::move(done), result = std::move(result)]() mutable { std::move(done)(std::move(result)); });
}

template <typename T>
void SqliteStore::ReadWith(absl::AnyInvocable<absl::StatusOr<T>()> query, Callback<T> done) {
  read_thread_.Post([this, query = std::move(query), done = std::move(done)]() mutable {
    Finish<T>(std::move(done), database_->Noting(std::move(query)()));
  });
}

}  // namespace holdfast::agent
