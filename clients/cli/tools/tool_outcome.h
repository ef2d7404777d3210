#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace holdfast::cli {

// The most that a tool's output may hold when it reaches the model, in bytes.
inline constexpr size_t kMaxToolOutput = 64 * 1024;

// What a tool call came to, as the model reads it.
struct ToolOutcome {
  std::string output;     // valid UTF-8, at most kMaxToolOutput
  bool is_error = false;  // the tool failed, was refused or was never run; `output` says how
};

inline ToolOutcome ErrorOutcome(const absl::Status& status) {
  return {.output = std::string(status.message()), .is_error = true};
}

}  // namespace holdfast::cli
