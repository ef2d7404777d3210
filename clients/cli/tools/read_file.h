#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/tools/workspace.h"

namespace holdfast::cli {

inline constexpr int64_t kMaxReadBytes = 65536;

struct ReadFileArguments {
  std::string path;
  int64_t offset = 0;            // bytes, not negative
  std::optional<int64_t> limit;  // bytes, 1 … kMaxReadBytes
};

// The bytes of the range as they are, where they are valid UTF-8; a range that cuts a code point begins and ends before
// it, so that ranges that adjoin still do. Other bytes are repaired. Without a limit, and where the file goes on, a
// line at the end says how to read on; all of that fits kMaxReadBytes. Regular files only.
absl::StatusOr<std::string> ReadFile(const Workspace& workspace, const ReadFileArguments& arguments);

}  // namespace holdfast::cli
