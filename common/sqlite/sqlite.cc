#include "common/sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>

namespace holdfast::sqlite {
namespace {

std::string PathOf(sqlite3* handle) {
  const char* name = sqlite3_db_filename(handle, "main");
  return name == nullptr ? "" : name;
}

bool IsOutOfSpace(int result, int system_error) {
  if (result == SQLITE_FULL) return true;
  return result == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG);
}

// `extended` as SQLite's functions return it (https://sqlite.org/rescode.html).
absl::Status ToStatus(sqlite3* handle, int extended, const std::string& path) {
  const int result = extended & 0xff;
  const std::string text = fmt::format("{} (SQLite result {})", sqlite3_errmsg(handle), extended);
  if (IsOutOfSpace(result, sqlite3_system_errno(handle))) {
    return absl::ResourceExhaustedError(fmt::format("no space left for {}: {}; free some and try again", path, text));
  }
  switch (result) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(fmt::format(
          "{} is damaged or no SQLite database: {}; move it away and restore a backup, or save what can be read with "
          "`sqlite3 {} .recover`",
          path, text, path));
    case SQLITE_CONSTRAINT:
      return absl::DataLossError(
          fmt::format("{} contradicts itself: {}; was it changed by another program?", path, text));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(fmt::format("{} is locked by another process: {}; end what holds it", path, text));
    case SQLITE_TOOBIG:
      return absl::InvalidArgumentError(fmt::format("a value is too large for {}: {}", path, text));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
      return absl::UnavailableError(
          fmt::format("cannot use {}: {}; check the disk and the file's owner and mode", path, text));
    default:
      return absl::InternalError(fmt::format("{}: {}", path, text));
  }
}

// Without psow SQLite fills a commit's last sector with its last frame once more
// (https://sqlite.org/psow.html). One bad frame then never hides that a commit was there.
std::string WriterUri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?psow=0";
}

absl::Status ToStatus(sqlite3* handle, int extended) { return ToStatus(handle, extended, PathOf(handle)); }

}  // namespace

void Connection::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

absl::StatusOr<Connection> Connection::Open(const std::string& path, Mode mode,
                                            std::chrono::milliseconds busy_timeout) {
  const bool writes = mode == Mode::kReadWrite;
  const int access = writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(writes ? WriterUri(path).c_str() : path.c_str(), &handle,
                                     access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Connection connection(handle);
  if (handle == nullptr) return absl::ResourceExhaustedError(fmt::format("no memory to open {}", path));
  if (result != SQLITE_OK) return ToStatus(handle, result, path);  // it knows no path yet
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  return connection;
}

absl::StatusOr<Statement> Connection::Prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int result = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (result != SQLITE_OK) return ToStatus(handle_.get(), result);
  return Statement(handle);
}

absl::Status Connection::Execute(const std::string& sql) {
  const int result = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ToStatus(handle_.get(), result);
}

absl::StatusOr<int64_t> Connection::QueryInt(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::FailedPreconditionError(fmt::format("no row: {}", sql));
  return statement->Int(0);
}

absl::StatusOr<std::string> Connection::QueryText(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::FailedPreconditionError(fmt::format("no row: {}", sql));
  return statement->Bytes(0);
}

absl::Status Connection::ExecutePatiently(const char* sql, const std::function<bool()>& keep_trying) {
  int result = SQLITE_OK;
  do {
    result = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  } while ((result & 0xff) == SQLITE_BUSY && keep_trying());
  return result == SQLITE_OK ? absl::OkStatus() : ToStatus(handle_.get(), result);
}

absl::Status Connection::BeginImmediate(const std::function<bool()>& keep_trying) {
  return ExecutePatiently("BEGIN IMMEDIATE", keep_trying);
}

absl::Status Connection::Commit(const std::function<bool()>& keep_trying) {
  return ExecutePatiently("COMMIT", keep_trying);
}

absl::Status Connection::Rollback() { return InTransaction() ? Execute("ROLLBACK") : absl::OkStatus(); }

bool Connection::InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

int64_t Connection::ChangedRows() const { return sqlite3_total_changes64(handle_.get()); }

void Statement::Finalize::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }

Statement& Statement::Bind(int parameter, int64_t value) {
  const int result = sqlite3_bind_int64(handle_.get(), parameter, value);
  if (result != SQLITE_OK) bind_result_ = result;
  return *this;
}

Statement& Statement::BindText(int parameter, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();  // SQLite binds NULL for a null pointer
  const int result = sqlite3_bind_text64(handle_.get(), parameter, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (result != SQLITE_OK) bind_result_ = result;
  return *this;
}

Statement& Statement::BindBlob(int parameter, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  const int result = sqlite3_bind_blob64(handle_.get(), parameter, data, value.size(), SQLITE_STATIC);
  if (result != SQLITE_OK) bind_result_ = result;
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int result = bind_result_ != SQLITE_OK ? bind_result_ : sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  absl::Status status = result == SQLITE_DONE ? absl::OkStatus() : ToStatus(sqlite3_db_handle(handle_.get()), result);
  Reset();
  if (!status.ok()) return status;
  return false;
}

absl::Status Statement::Run() {
  while (true) {
    const absl::StatusOr<bool> row = Step();
    if (!row.ok() || !*row) return row.status();
  }
}

int64_t Statement::ChangedRows() const { return sqlite3_changes64(sqlite3_db_handle(handle_.get())); }

void Statement::Reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  bind_result_ = SQLITE_OK;
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(handle_.get(), column); }

bool Statement::Null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

std::string Statement::Bytes(int column) const {
  // The pointer first, then the size: the order that SQLite asks for.
  const void* data = sqlite3_column_blob(handle_.get(), column);
  const size_t size = ByteCount(column);
  return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
}

size_t Statement::ByteCount(int column) const {
  return static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column));
}

}  // namespace holdfast::sqlite
