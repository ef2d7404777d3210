#include "common/sqlite/open_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace holdfast::sqlite {

OpenFiles::OpenFiles(const std::string& path) {
  files_[0].path = path;
  files_[1].path = path + "-wal";
  for (File& file : files_) file.opened = IdentityOf(file.path);
}

// Not stat(): that asks for the file's times too, and a kernel that then gives the next write a time of its own (Linux
// 6.13, https://docs.kernel.org/filesystems/multigrain-ts.html) makes the next sync a third slower.
std::optional<OpenFiles::Identity> OpenFiles::IdentityOf(const std::string& path) {
  struct statx info {};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_INO, &info) != 0) return std::nullopt;
  return Identity{.major = info.stx_dev_major, .minor = info.stx_dev_minor, .inode = info.stx_ino};
}

OpenFiles::Place OpenFiles::LookAt(const File& file) {
  if (!file.opened) return Place::kThere;
  const std::optional<Identity> found = IdentityOf(file.path);
  if (found) return *found == *file.opened ? Place::kThere : Place::kReplaced;
  // What cannot be looked at need not be gone.
  return errno == ENOENT || errno == ENOTDIR || errno == ESTALE ? Place::kGone : Place::kThere;
}

absl::Status OpenFiles::Look() {
  absl::Status status;
  for (File& file : files_) {
    const Place seen = LookAt(file);
    file.place = seen;
    if (status.ok()) status = Judge(file, seen);
  }
  return status;
}

absl::Status OpenFiles::LastSeen() const {
  for (const File& file : files_) {
    if (absl::Status status = Judge(file, file.place); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status OpenFiles::Judge(const File& file, Place place) {
  if (place == Place::kThere) return absl::OkStatus();
  return absl::UnavailableError(fmt::format(
      "{} {} while it was in use, and nothing more is written: put the file back, or export the sessions that are "
      "needed, which can still be read, and restart",
      file.path, place == Place::kGone ? "was deleted or moved away" : "was replaced by another file"));
}

}  // namespace holdfast::sqlite
