#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/tools/workspace.h"

namespace holdfast::cli {

inline constexpr size_t kMaxListedFiles = 1000;

// Every file and folder below the folder `path`, one a line, relative to it, in the order of a sorted walk; folders end
// in a slash.
// `.git` is left out, links are named but not followed. Where there are more than kMaxListedFiles, a line at the end
// says so.
absl::StatusOr<std::string> ListFiles(const Workspace& workspace, const std::string& path);

}  // namespace holdfast::cli
