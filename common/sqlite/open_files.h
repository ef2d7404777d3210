#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
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
  struct Identity {
    uint32_t major = 0;
    uint32_t minor = 0;
    uint64_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  struct File {
    std::string path;
    std::optional<Identity> opened;  // not where it could not be looked at
    std::atomic<Place> place = Place::kThere;
  };
  // Empty: errno says why.
  static std::optional<Identity> IdentityOf(const std::string& path);
  static Place LookAt(const File& file);
  static absl::Status Judge(const File& file, Place place);

  std::array<File, 2> files_;
};

}  // namespace holdfast::sqlite
