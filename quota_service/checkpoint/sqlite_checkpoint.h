#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/loop.h"
#include "common/sqlite/lock_file.h"
#include "common/sqlite/task_thread.h"
#include "quota_service/checkpoint/checkpoint_file.h"
#include "quota_service/checkpoint/checkpoint_store.h"

namespace holdfast::quota {

// The checkpoint in `quota.db` of a data directory, for one quota_service; written on a thread of its own.
class SqliteCheckpoint final : public CheckpointStore {
 public:
  struct Opened {
    std::unique_ptr<SqliteCheckpoint> store;
    CheckpointState state;  // as it was kept
    std::string trouble;    // what was lost of it, and where it is now; may be empty
  };
  // Blocks. Makes the directory (0700) if need be, and takes the lock `quota.db.lock`. A file that is damaged is set
  // aside as `quota.db.damaged`, in place of an earlier one, and a new one begun. FAILED_PRECONDITION: in use by
  // another quota_service, of a newer release, or no database of ours; UNAVAILABLE: cannot be made or opened.
  static absl::StatusOr<Opened> Open(Loop& loop, const std::string& directory);

  // Writes what was given before, then goes.
  ~SqliteCheckpoint() override;

  void Save(CheckpointState state, absl::AnyInvocable<void(absl::Status)> done) override;

 private:
  SqliteCheckpoint(Loop& loop, LockFile lock, CheckpointFile file)
      : loop_(loop), lock_(std::move(lock)), file_(std::move(file)) {}

  Loop& loop_;
  LockFile lock_;
  CheckpointFile file_;
  TaskThread thread_;  // first to go: it uses the others
};

}  // namespace holdfast::quota
