#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdfast {

// What the operator can do about this errno.
const char* RemedyFor(int error);

// The absolute path with symbolic links followed, so that one database has one lock file. INVALID_ARGUMENT for an empty
// path.
absl::StatusOr<std::string> ResolveDatabasePath(const std::string& path);

// Makes what is missing of the folders above `path` (absolute), each 0700 and durable.
absl::Status MakeParentDirectories(const std::string& path);

// A name that was made, changed or removed there survives a power cut only after this.
absl::Status SyncDirectory(const std::string& directory);

// Makes an empty file (0600, durable) if there is none; an existing one keeps its mode. Errors name the path.
absl::Status MakeDatabaseFile(const std::string& path);

// Moves a database that nobody has open to `path`.damaged, in place of an earlier one, with SQLite's own files beside
// it. UNAVAILABLE names the file that cannot be moved.
absl::Status SetDatabaseAside(const std::string& path);

}  // namespace holdfast
