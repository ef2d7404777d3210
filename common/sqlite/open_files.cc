#include "common/sqlite/open_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace holdfast::sqlite {

OpenFiles::OpenFiles(const std::string& path) {
  files_[0].path = path;
  files_[1].path = path + "-wal";
  for (File& file : files_) {
    struct stat info {};
    file.known = stat(file.path.c_str(), &info) == 0;
    file.device = info.st_dev;
    file.inode = info.st_ino;
  }
}

OpenFiles::Place OpenFiles::LookAt(const File& file) {
  if (!file.known) return Place::kThere;
  struct stat info {};
  if (stat(file.path.c_str(), &info) != 0) {
    // What cannot be looked at need not be gone.
    const bool gone = errno == ENOENT || errno == ENOTDIR || errno == ESTALE;
    return gone ? Place::kGone : Place::kThere;
  }
  return info.st_dev == file.device && info.st_ino == file.inode ? Place::kThere : Place::kReplaced;
}

absl::Status OpenFiles::Look() {
  for (File& file : files_) file.place = LookAt(file);
  return LastSeen();
}

absl::Status OpenFiles::LastSeen() const {
  for (const File& file : files_) {
    const Place place = file.place;
    if (place == Place::kThere) continue;
    return absl::UnavailableError(fmt::format(
        "{} {} while it was in use, and nothing more is written: put the file back, or export the sessions that are "
        "needed, which can still be read, and restart",
        file.path, place == Place::kGone ? "was deleted or moved away" : "was replaced by another file"));
  }
  return absl::OkStatus();
}

}  // namespace holdfast::sqlite
