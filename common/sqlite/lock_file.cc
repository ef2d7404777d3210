#include "common/sqlite/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "common/sqlite/database_files.h"

namespace holdfast {
namespace {

absl::Status Unusable(const std::string& path, int error) {
  return absl::UnavailableError(fmt::format(
      "cannot lock {}: {}; {}", path, std::error_code(error, std::generic_category()).message(), RemedyFor(error)));
}

// 0 if the file says nothing of use.
pid_t ReadHolder(int fd) {
  std::array<char, 16> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  return pid > 0 ? pid : 0;
}

}  // namespace

absl::StatusOr<LockFile> LockFile::Acquire(const std::string& path, std::string_view program) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Unusable(path, errno);
  LockFile file(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Unusable(path, errno);
    const pid_t holder = ReadHolder(fd);
    return absl::FailedPreconditionError(
        fmt::format("another {}{} uses this store (it holds the lock {}): stop it, or choose another store", program,
                    holder > 0 ? fmt::format(", process {},", holder) : "", path));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return Unusable(path, errno);
  }
  return file;
}

LockFile::LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LockFile::~LockFile() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace holdfast
