#pragma once

#include <cstddef>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// A hash of what a client says, by which the same command that is sent again is told from another under the same key.
// Of this process alone; who looks for two of one hash finds them, and fools nobody else.

// Of input, instructions and model.
size_t ContentOf(const v1::TurnStarted& started);
// Of output and is_error.
size_t ContentOf(const quota::v1::ToolResult& result);

}  // namespace holdfast::agent
