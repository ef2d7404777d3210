#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace holdfast::cli {

// The patch format that coding models are trained on: an envelope of file sections (Add, Delete, Update with an
// optional Move), where an update is a list of hunks that are found by their text, not by line numbers.

struct PatchLine {
  enum class Kind { kContext, kRemove, kAdd };
  Kind kind = Kind::kContext;
  std::string text;  // without the leading mark and the line end
};

struct Hunk {
  std::vector<std::string> anchors;  // the `@@` lines: lines of the file that stand before the hunk, outermost first
  std::vector<PatchLine> lines;      // never empty
  bool at_end = false;               // `*** End of File`: the hunk ends with the file
  int line = 0;                      // in the patch, from 1; for messages
};

struct FileChange {
  enum class Kind { kAdd, kDelete, kUpdate };
  Kind kind = Kind::kAdd;
  std::string path;         // as written; hostile
  std::string move_to;      // kUpdate only; empty: stays
  std::string content;      // kAdd: the whole file
  std::vector<Hunk> hunks;  // kUpdate; empty only with move_to
  int line = 0;             // in the patch, from 1
};

struct Patch {
  std::vector<FileChange> files;  // never empty
};

// INVALID_ARGUMENT names the line and what was expected there.
absl::StatusOr<Patch> ParsePatch(std::string_view text);

}  // namespace holdfast::cli
