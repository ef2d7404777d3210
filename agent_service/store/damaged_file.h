#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent_service/store/store.h"

namespace holdfast::agent {

// Rows of our tables, found in the bytes of a SQLite file that SQLite itself may refuse: page by page, without the
// trees that lead to the pages (https://sqlite.org/fileformat2.html). Pure; believes nothing that it reads.
struct FoundEvent {
  std::string tenant;
  std::string session_id;
  LogRow row;
  std::optional<int64_t> check;  // absent: of a release that wrote none
};

struct FoundSession {
  std::string tenant;
  std::string session_id;
  int64_t last_sequence = 0;
  int64_t generation = 0;
};

struct FoundRows {
  std::vector<FoundEvent> events;
  std::vector<FoundSession> sessions;
  // False: which pages are free could not be read, so that rows may be of sessions that were deleted.
  bool free_pages_known = false;
};

FoundRows ScanDatabase(std::string_view file);

}  // namespace holdfast::agent
