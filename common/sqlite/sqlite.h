#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

// A thin layer over SQLite's C interface (https://sqlite.org/c3ref/intro.html): ownership, and extended result codes as
// statuses with the codes that store.h promises.
namespace holdfast::sqlite {

class Statement;

// Used by one thread at a time.
class Connection {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // `path` is absolute and exists. Waits up to `busy_timeout` in each call that meets a lock of another process.
  static absl::StatusOr<Connection> Open(const std::string& path, Mode mode, std::chrono::milliseconds busy_timeout);

  // The statement borrows the connection and must not outlive it; moving the connection is fine.
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // One or more statements whose rows nobody needs.
  absl::Status Execute(const std::string& sql);
  // The first column of the first row; FAILED_PRECONDITION without a row.
  absl::StatusOr<int64_t> QueryInt(std::string_view sql);
  absl::StatusOr<std::string> QueryText(std::string_view sql);

  // BEGIN IMMEDIATE and COMMIT. While another process holds the lock they are tried again, as long as `keep_trying`
  // says so; it is asked once per `busy_timeout`. A failed Commit may leave the transaction open.
  absl::Status BeginImmediate(const std::function<bool()>& keep_trying);
  absl::Status Commit(const std::function<bool()>& keep_trying);
  // Does nothing outside a transaction.
  absl::Status Rollback();
  bool InTransaction() const;
  // Rows inserted, updated or deleted since it was opened, undone ones included.
  int64_t ChangedRows() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };

  explicit Connection(sqlite3* handle) : handle_(handle) {}
  absl::Status ExecutePatiently(const char* sql, const std::function<bool()>& keep_trying);

  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement. Bound text and blobs are borrowed until the next Reset.
class Statement {
 public:
  // Parameters count from 1. What fails is told by the next Step.
  Statement& Bind(int parameter, int64_t value);
  Statement& BindText(int parameter, std::string_view value);
  Statement& BindBlob(int parameter, std::string_view value);

  // True: there is a row. After false or an error the statement is reset.
  absl::StatusOr<bool> Step();
  // Steps to the end, passing over rows.
  absl::Status Run();
  // By the connection's newest statement that changes rows, once it was run.
  int64_t ChangedRows() const;
  // Ends the reading and forgets what was bound.
  void Reset();

  // Columns count from 0, of the row that Step found.
  int64_t Int(int column) const;
  std::string Bytes(int column) const;
  bool Null(int column) const;
  size_t ByteCount(int column) const;

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };

  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int bind_result_ = 0;
};

// Resets on every way out of a block, so that no read transaction stays open.
class ResetAtExit {
 public:
  explicit ResetAtExit(Statement& statement) : statement_(statement) {}
  ~ResetAtExit() { statement_.Reset(); }
  ResetAtExit(const ResetAtExit&) = delete;
  ResetAtExit& operator=(const ResetAtExit&) = delete;

 private:
  Statement& statement_;
};

}  // namespace holdfast::sqlite
