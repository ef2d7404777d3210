#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent_service/store/executor.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::agent {

// A thread that writes what is queued, in order, many writes to a transaction: while one commit waits for the disk the
// next group gathers, so that the number of syncs is bounded by the disk and not by the number of sessions. No write
// waits for company, but that what the acknowledgements of one group submit at once goes together.
class GroupCommit {
 public:
  static constexpr size_t kMaxWrites = 512;
  static constexpr size_t kMaxBytes = size_t{8} << 20;
  // How long a group waits for another process that holds the database's write lock; short of the ten seconds after
  // which callers give up, so that they learn why.
  static constexpr std::chrono::seconds kPatience{4};

  struct Write {
    size_t bytes = 0;
    // Called inside the transaction; once more where a write of the group failed half way, after all of it was undone.
    // An error undoes this write alone, unless it is about the disk (RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL): then
    // the whole group is undone and every write in it has that error.
    absl::AnyInvocable<absl::Status()> apply;
    // Called exactly once, by the executor, after the commit; OK: the write is durable. Does not block.
    absl::AnyInvocable<void(absl::Status)> done;
  };

  // Called by this object's thread after each commit. An error is that of the group: what was committed is not where
  // the next start looks for it.
  using Verify = std::function<absl::Status()>;

  // `connection` (read-write) is used by this object's thread alone, and outlives it.
  static absl::StatusOr<std::unique_ptr<GroupCommit>> Create(
      sqlite::Connection& connection, Executor executor, Verify verify = [] { return absl::OkStatus(); });
  // Writes what is queued, then joins. Once begun, a locked database is waited for no longer than its busy timeout.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Any thread. Writes of one thread are applied in its order.
  void Submit(Write write);

  // Transactions committed so far.
  int64_t commits() const { return commits_.load(std::memory_order_relaxed); }

 private:
  // What is submitted and not taken. Acknowledgements that run hold it, and may outlive the object.
  struct Queue {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Write> writes;
    int acknowledging = 0;  // nothing is taken while it is not 0
    bool stopping = false;
  };

  GroupCommit(sqlite::Connection& connection, Executor executor, Verify verify, sqlite::Statement savepoint,
              sqlite::Statement release, sqlite::Statement undo);
  void Run();
  // Blocks; empty: all is written and nothing will come.
  std::vector<Write> TakeGroup();
  void CommitGroup(std::vector<Write> group);
  // `outcomes` is parallel to `group`. An error is that of the whole group.
  absl::Status ApplyAndCommit(std::vector<Write>& group, std::vector<absl::Status>& outcomes);
  // Without savepoints, for which SQLite copies every page that a write touches. False: a write failed half way, which
  // nothing but undoing the whole group can mend.
  absl::StatusOr<bool> ApplyTogether(std::vector<Write>& group, std::vector<absl::Status>& outcomes);
  absl::Status ApplyApart(Write& write, absl::Status& outcome);
  void Acknowledge(std::vector<Write> group, std::vector<absl::Status> outcomes);

  sqlite::Connection& connection_;
  const Executor executor_;
  const Verify verify_;
  sqlite::Statement savepoint_;
  sqlite::Statement release_;
  sqlite::Statement undo_;
  std::atomic<int64_t> commits_{0};
  std::atomic<bool> stopping_{false};
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::thread thread_;
};

}  // namespace holdfast::agent
