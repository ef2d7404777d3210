#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdfast::agent {

// A session of which something was lost.
struct Loss {
  std::string tenant;
  std::string session_id;
  int64_t kept = 0;   // its first so many events are there; 0: nothing is
  int64_t known = 0;  // the damaged file knew of so many
  // In no list of sessions, and which pages are free cannot be read: it may have been deleted.
  bool unlisted = false;
};

struct SalvageReport {
  std::string damaged;  // where the damaged file is now
  int64_t sessions = 0;
  int64_t events = 0;
  std::vector<Loss> losses;
  // What was in the write-ahead log and not yet in the file could not be read.
  bool log_unread = false;
  // Commits in it would have been dropped without a word.
  bool log_damaged = false;
};

// Opening failed for damage: also where a table's or column's name in the file is not what it was, which SQLite calls
// an error of ours.
bool IsDamage(const absl::Status& opened);

// Saves what can be read of a damaged database of sessions into a new one, which takes its place; the damaged one stays
// beside it as `<path>.damaged-<time>`, with Describe's lines in `<path>.damaged-<time>.txt`. Of each session the
// events before the first that is missing or damaged are kept; one that lost any has a session_salvaged event after
// them. Blocks. DATA_LOSS: nothing of a session can be read, and nothing was changed; FAILED_PRECONDITION: in use.
absl::StatusOr<SalvageReport> Salvage(const std::string& path);

// To be called before the database is opened. Where a salvage was ended (by a crash, say) between being complete and
// having put its database in place, ends it, and yields Describe's lines; else none. Blocks. Errors as of Salvage.
absl::StatusOr<std::vector<std::string>> FinishSalvage(const std::string& path);

// A line for people, for the report and for each loss.
std::vector<std::string> Describe(const SalvageReport& report);

}  // namespace holdfast::agent
