#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdfast {

// The whole content of a file. NOT_FOUND: it cannot be read; INVALID_ARGUMENT: it has more than `max_bytes`. The words
// call it `name`.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes, const std::string& name);

}  // namespace holdfast
