#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdfast::cli {

// What tells this folder of journals from all others, on this machine or another: made at random when it is first asked
// for, and kept in the folder. Clients that get the same one share their journals, and so may go on with each other's
// tool calls. The folder is there.
absl::StatusOr<std::string> JournalHost(const std::string& folder);

}  // namespace holdfast::cli
