#include "common/base/state_dir.h"

#include <cstdlib>

namespace holdfast {

absl::StatusOr<std::string> StateDirectory() {
  // The specification says that a relative path is to be ignored.
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return std::string(state) + "/holdfast";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return std::string(home) + "/.local/state/holdfast";
  return absl::FailedPreconditionError(
      "neither XDG_STATE_HOME nor HOME is set to an absolute path; set one, or name the path");
}

}  // namespace holdfast
