#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/sqlite.h"
#include "quota_service/checkpoint/checkpoint_store.h"

namespace holdfast::quota {

// The checkpoint in an SQLite file (WAL, synchronous=FULL). One thread at a time.
class CheckpointFile {
 public:
  // Makes the file (0600) if need be, checks it for damage and migrates an older schema. FAILED_PRECONDITION: of a
  // newer release, or no database of ours; DATA_LOSS: damaged; UNAVAILABLE: cannot be opened.
  static absl::StatusOr<CheckpointFile> Open(const std::string& path);

  // What was saved last; nothing of a new file. Rows that make no sense are left out, and `skipped` counts them.
  absl::StatusOr<CheckpointState> Load(int* skipped);
  absl::Status Save(const CheckpointState& state);

 private:
  explicit CheckpointFile(sqlite::Connection connection) : connection_(std::move(connection)) {}
  absl::Status Write(const CheckpointState& state);

  sqlite::Connection connection_;
};

}  // namespace holdfast::quota
