#include "quota_service/checkpoint/sqlite_checkpoint.h"

#include <fmt/format.h>

#include <utility>

#include "common/sqlite/database_files.h"

namespace holdfast::quota {
namespace {

struct Loaded {
  CheckpointFile file;
  CheckpointState state;
  int skipped = 0;
};

absl::StatusOr<Loaded> OpenAndLoad(const std::string& path) {
  absl::StatusOr<CheckpointFile> file = CheckpointFile::Open(path);
  if (!file.ok()) return file.status();
  int skipped = 0;
  absl::StatusOr<CheckpointState> state = file->Load(&skipped);
  if (!state.ok()) return state.status();
  return Loaded{*std::move(file), *std::move(state), skipped};
}

}  // namespace

absl::StatusOr<SqliteCheckpoint::Opened> SqliteCheckpoint::Open(Loop& loop, const std::string& directory) {
  const absl::StatusOr<std::string> path = ResolveDatabasePath(directory + "/quota.db");
  if (!path.ok()) return path.status();
  if (absl::Status status = MakeParentDirectories(*path); !status.ok()) return status;
  absl::StatusOr<LockFile> lock = LockFile::Acquire(*path + ".lock", "quota_service");
  if (!lock.ok()) return lock.status();

  std::string trouble;
  absl::StatusOr<Loaded> loaded = OpenAndLoad(*path);
  if (absl::IsDataLoss(loaded.status())) {
    trouble = fmt::format(
        "the checkpoint was damaged: budgets of today began anew, limits are learnt again; {}.damaged is what was "
        "found ({})",
        *path, std::string(loaded.status().message()));
    if (absl::Status status = SetDatabaseAside(*path); !status.ok()) return status;
    loaded = OpenAndLoad(*path);
  }
  if (!loaded.ok()) return loaded.status();
  if (loaded->skipped > 0) {
    trouble = fmt::format("{} rows of the checkpoint {} made no sense and were left out", loaded->skipped, *path);
  }
  Opened opened;
  opened.store.reset(new SqliteCheckpoint(loop, *std::move(lock), std::move(loaded->file)));
  opened.state = std::move(loaded->state);
  opened.trouble = std::move(trouble);
  return opened;
}

SqliteCheckpoint::~SqliteCheckpoint() = default;

void SqliteCheckpoint::Save(CheckpointState state, absl::AnyInvocable<void(absl::Status)> done) {
  thread_.Post([this, state = std::move(state), done = std::move(done)]() mutable {
    absl::Status status = file_.Save(state);
    loop_.Post([done = std::move(done), status = std::move(status)]() mutable { std::move(done)(std::move(status)); });
  });
}

}  // namespace holdfast::quota
