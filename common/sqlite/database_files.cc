#include "common/sqlite/database_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const char* what, const fs::path& path, int error) {
  return absl::UnavailableError(fmt::format("cannot {} {}: {}; {}", what, path.string(),
                                            std::error_code(error, std::generic_category()).message(),
                                            RemedyFor(error)));
}

}  // namespace

const char* RemedyFor(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "free some space there";
    case EROFS:
      return "its file system is read-only: mount it writable, or choose another store";
    default:
      return "check the owner and the mode of it and of its folder, or choose another store";
  }
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed("open the directory", directory, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // Some file systems cannot sync a directory (EINVAL, fsync(2)); they have nothing better to offer.
  if (error != 0 && error != EINVAL) return Failed("sync the directory", directory, error);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ResolveDatabasePath(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the store's path is empty: give one as sqlite:PATH");
  if (path.find('\0') != std::string::npos) return absl::InvalidArgumentError("the store's path has a NUL byte");
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return Failed("resolve", path, error.value());
  const fs::path resolved = fs::weakly_canonical(absolute, error);
  // Where resolving fails, making the folders or the file fails too and says more exactly why.
  return error ? absolute.lexically_normal().string() : resolved.string();
}

absl::Status MakeParentDirectories(const std::string& path) {
  fs::path directory;
  for (const fs::path& part : fs::path(path).parent_path()) {
    directory /= part;
    struct stat info {};
    if (stat(directory.c_str(), &info) == 0) {
      if (!S_ISDIR(info.st_mode)) return Failed("make a folder below", directory, ENOTDIR);
      continue;
    }
    if (errno != ENOENT) return Failed("look at", directory, errno);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return Failed("make the folder", directory, errno);
    if (absl::Status status = SyncDirectory(directory.parent_path().string()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status MakeDatabaseFile(const std::string& path) {
  // A file that exists is not even opened: closing it would drop the POSIX locks that this process may hold on it
  // (fcntl(2)).
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return absl::OkStatus();
  if (fd < 0) return Failed("make the database", path, errno);
  close(fd);
  return SyncDirectory(fs::path(path).parent_path().string());
}

// SQLite's own files go with the database: a write-ahead log that stayed would be taken for that of the new one.
absl::Status SetDatabaseAside(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    const fs::path from = path + suffix;
    const fs::path to = path + ".damaged" + suffix;
    fs::remove(to, error);
    if (!fs::exists(from, error)) continue;
    fs::rename(from, to, error);
    if (error) {
      return absl::UnavailableError(
          fmt::format("cannot set {} aside: {}; move it away", from.string(), error.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace holdfast
