#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace holdfast {

// An advisory lock (flock) on a file, held until destruction or the death of the process, kill -9 included. The file
// holds the holder's process id and stays behind: removing it would race with the next holder.
class LockFile {
 public:
  // Makes the file (0600) if need be. FAILED_PRECONDITION if another holder, a `program` by the message, has it;
  // UNAVAILABLE if the file cannot be used.
  static absl::StatusOr<LockFile> Acquire(const std::string& path, std::string_view program);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace holdfast
