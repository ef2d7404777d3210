#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdfast::cli {

// The status of an open file, which must be a regular one. INVALID_ARGUMENT names `path` and says what it is instead.
absl::StatusOr<struct stat> StatRegular(int fd, std::string_view path);

// Up to `max_bytes` from byte `offset` on; shorter only at the end of the file.
absl::StatusOr<std::string> ReadRange(int fd, int64_t offset, size_t max_bytes, std::string_view path);

// All of `data`, however often write() has to be called.
absl::Status WriteAll(int fd, std::string_view data, std::string_view path);

}  // namespace holdfast::cli
