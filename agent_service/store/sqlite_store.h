#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent_service/store/executor.h"
#include "agent_service/store/group_commit.h"
#include "agent_service/store/store.h"
#include "common/sqlite/open_files.h"
#include "common/sqlite/task_thread.h"

namespace holdfast::agent {

// Sessions in one SQLite file (WAL, synchronous=FULL), for one agent_service. One thread writes, many appends to a
// commit; one reads, beside the writer and not behind it. People may look into the file with sqlite3 while this runs; a
// writer among them (say a backup) delays appends, which fail with UNAVAILABLE after some seconds.
//
// Beyond what store.h says: an append with an expected_sequence above 0 to a session that is not there is NOT_FOUND; a
// request that no state could accept is INVALID_ARGUMENT and names the field; ListSessions returns at most 1000
// sessions to a page; ListRunning is ordered by tenant and session_id.
class SqliteStore final : public Store {
 public:
  using Executor = agent::Executor;

  // Blocks. Makes the file (0600) and the folders above it (0700) if need be, takes the lock `<path>.lock`, checks
  // the write-ahead log for damage, and files below 256 MiB or in which damage was met before (`<path>.check`), and
  // migrates older schemas. FAILED_PRECONDITION: in use by another agent_service,
  // of a newer release, or no database of ours; DATA_LOSS: damaged; UNAVAILABLE: cannot be opened or locked by another
  // program. Messages name the path.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path, Executor executor);

  // Blocks until what was asked for is done; the callbacks are posted to the executor. No method may be called from
  // here on.
  ~SqliteStore() override;

  void Append(AppendRequest request, Callback<int64_t> done) override;
  void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
            Callback<std::vector<LogRow>> done) override;
  void GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) override;
  void ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) override;
  void ListRunning(Callback<std::vector<SessionRow>> done) override;
  void DeleteSession(std::string tenant, std::string session_id, Done done) override;
  int64_t generation() const override { return generation_; }

  // Looks whether the database is still at its path. UNAVAILABLE: it was deleted or replaced, or its log was, and from
  // here on appends and deletions are refused with the same words, until a look finds it in its place again.
  void CheckFiles(Done done);

  // Transactions committed since Open; with many sessions far fewer than appends.
  int64_t commits() const { return commits_->commits(); }

 private:
  struct Database;

  SqliteStore(std::unique_ptr<Database> database, int64_t generation, std::unique_ptr<GroupCommit> commits,
              Executor executor);

  void FinishDone(Done done, absl::Status status);
  template <typename T>
  void Finish(Callback<T> done, absl::StatusOr<T> result);
  template <typename T>
  void ReadWith(absl::AnyInvocable<absl::StatusOr<T>()> query, Callback<T> done);

  const Executor executor_;
  const int64_t generation_;
  const std::unique_ptr<Database> database_;
  const std::unique_ptr<GroupCommit> commits_;
  TaskThread read_thread_;
};

}  // namespace holdfast::agent
