#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdfast {

// Reads a secret from an environment variable. NOT_FOUND names the variable, never a value. INVALID_ARGUMENT: that is
// no name of a variable.
absl::StatusOr<std::string> ReadSecretFromEnv(const std::string& name);
// Reads a secret from a file, white space at both ends removed; at most 64 KiB. The error names the path,
// where it looks like one.
absl::StatusOr<std::string> ReadSecretFromFile(const std::string& path);

}  // namespace holdfast
