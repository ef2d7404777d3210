#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/tools/unique_fd.h"
#include "clients/cli/tools/workspace.h"

namespace holdfast::cli {

// A name that no file has.
std::string StagedName();

// New content of one file, on disk under a temporary name in the same folder. Commit gives it its name in one step;
// without that the destructor removes it.
class StagedFile {
 public:
  // `name`: the temporary one, of StagedName. `like`: the file whose permission bits and owner are kept (never
  // set-user-id); null: the process's defaults. `replaces`: the target exists; otherwise its missing folders are made.
  static absl::StatusOr<StagedFile> Create(const Workspace& workspace, const ResolvedPath& target,
                                           const std::string& name, std::string_view content, const struct stat* like,
                                           bool replaces);
  // What a process that died has left of `target` under this name, if anything.
  static void Remove(const Workspace& workspace, const ResolvedPath& target, const std::string& name);

  StagedFile(StagedFile&&) = default;
  StagedFile& operator=(StagedFile&&) = default;
  ~StagedFile();

  // Durable when it returns OK. A new file never replaces one that appeared meanwhile (ALREADY_EXISTS).
  absl::Status Commit();

 private:
  StagedFile() = default;

  UniqueFd folder_;
  std::string temporary_;  // empty: committed, or moved from
  std::string leaf_;
  std::string path_;
  bool replaces_ = false;
};

// Removes a file, or a link itself, and makes that durable.
absl::Status RemoveFile(const Workspace& workspace, const ResolvedPath& target);

}  // namespace holdfast::cli
