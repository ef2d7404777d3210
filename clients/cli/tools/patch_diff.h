#pragma once

#include <string>
#include <vector>

#include "clients/cli/tools/patch_parser.h"

namespace holdfast::cli {

// Every path that `patch` would create, change or delete, as written in it, each once, in order. For approval.
std::vector<std::string> TouchedFiles(const Patch& patch);

// What `patch` says, in the shape of a unified diff without line numbers. For people; made safe for a terminal (see
// Printable).
std::string UnifiedDiff(const Patch& patch);

}  // namespace holdfast::cli
