#include "clients/cli/tools/file_io.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::cli {

absl::StatusOr<struct stat> StatRegular(int fd, std::string_view path) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be examined", path));
  if (S_ISREG(info.st_mode)) return info;
  const char* what = S_ISDIR(info.st_mode)    ? "a directory"
                     : S_ISFIFO(info.st_mode) ? "a named pipe"
                     : S_ISSOCK(info.st_mode) ? "a socket"
                                              : "a device";
  return absl::InvalidArgumentError(fmt::format("{}: is {}, not a regular file", path, what));
}

absl::StatusOr<std::string> ReadRange(int fd, int64_t offset, size_t max_bytes, std::string_view path) {
  std::string data;
  while (data.size() < max_bytes) {
    constexpr size_t kChunk = 256 * 1024;
    const size_t old_size = data.size();
    const size_t want = std::min(kChunk, max_bytes - old_size);
    data.resize(old_size + want);
    const ssize_t got = ::pread(fd, data.data() + old_size, want, offset + static_cast<int64_t>(old_size));
    const int error = errno;
    data.resize(old_size + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got == 0) break;
    if (got < 0 && error != EINTR) return absl::ErrnoToStatus(error, fmt::format("{}: cannot be read", path));
  }
  return data;
}

absl::Status WriteAll(int fd, std::string_view data, std::string_view path) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(fd, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be written", path));
    data.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

}  // namespace holdfast::cli
