#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/patch_parser.h"

namespace holdfast::cli {

struct PatchedText {
  std::string text;
  int added = 0;    // lines
  int removed = 0;  // lines
};

// Applies `hunks` in order to the `text` of the file `path` (for messages only).
//
// A hunk is looked for behind the one before it, and behind its anchors: exactly, then ignoring white space at line
// ends, then at both ends. Where that finds several places the hunk is refused: without anchors, more than one match;
// with anchors, anchors that stand in several places and lead to different matches. A hunk that only adds goes behind
// its anchor, or to the end of the file. Lines of context keep the file's bytes. New lines get the line end that
// prevails in the file; a missing final one stays missing. FAILED_PRECONDITION names file, hunk and what was looked
// for.
absl::StatusOr<PatchedText> ApplyHunks(std::string_view path, std::string_view text, const std::vector<Hunk>& hunks);

}  // namespace holdfast::cli
