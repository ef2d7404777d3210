#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdfast {

// $XDG_STATE_HOME/holdfast, by default ~/.local/state/holdfast (XDG Base Directory Specification). It may not exist
// yet. FAILED_PRECONDITION: neither XDG_STATE_HOME nor HOME is an absolute path.
absl::StatusOr<std::string> StateDirectory();

}  // namespace holdfast
