#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <string>

#include "absl/status/status.h"

namespace holdfast::sqlite {

// Whether the files of an open database, itself and its write-ahead log, are still the ones at its path. With a
// write-ahead log SQLite does not ask: it goes on with a file that was deleted or replaced, and what is written there
// is gone with the process. Any thread.
class OpenFiles {
 public:
  // `path` is absolute and open, and so is its log.
  explicit OpenFiles(const std::string& path);

  // Blocks for as long as the file system takes to look. UNAVAILABLE names the file, what became of it and the remedy.
  // A file that is put back is in its place again.
  absl::Status Look();
  // As the last Look found it, without looking.
  absl::Status LastSeen() const;

 private:
  enum class Place { kThere, kGone, kReplaced };
  struct File {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
    bool known = false;
    std::atomic<Place> place = Place::kThere;
  };
  static Place LookAt(const File& file);

  std::array<File, 2> files_;
};

}  // namespace holdfast::sqlite
