#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

// What SQLite does not say of a write-ahead log: it replays the commits before the first frame that is not what was
// written, and takes all behind for what a power cut left (https://sqlite.org/fileformat2.html, section 4).
namespace holdfast::sqlite {

struct LogFrame {
  uint32_t page = 0;       // the number that the frame names
  std::string_view bytes;  // the page's new content
  bool whole = false;      // as it was written
};

struct LogDamage {
  size_t page_size = 0;
  // From behind the last commit that SQLite replays to the last commit that is whole. Empty: nothing is lost.
  std::vector<LogFrame> frames;
};

// The frames borrow `log`. A frame is whole by the checksum of the one before it as that has it, so that one bad frame
// does not hide those behind it; frames of an earlier round of the log have other salts and do not count. Where the log
// was last written before the machine started, its newest commit alone is none: sectors are written in any order, and
// nobody was told that it is durable. Pure; believes nothing that it reads.
LogDamage FindLogDamage(std::string_view log, bool written_since_boot);

// False also where there is no such file.
bool WrittenSinceBoot(const std::string& path);

// FAILED_PRECONDITION: the database at `path` is not there, or empty, and its write-ahead log is: SQLite would make a
// new database and throw the log away, with all that is committed there. To be asked before a database is made.
absl::Status CheckLogHasDatabase(const std::string& path);

// DATA_LOSS: commits in the write-ahead log of the database at `path` would silently be dropped. To be asked before the
// database is opened, while nobody writes into it.
absl::Status CheckLog(const std::string& path);

}  // namespace holdfast::sqlite
