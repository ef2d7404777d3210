#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/tool_outcome.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// Runs a session's tool calls; see ToolExecutor for what "once" means.
class ToolRunner {
 public:
  virtual ~ToolRunner() = default;
  virtual std::vector<quota::v1::Tool> Declarations() const = 0;
  // Blocks. An error: the call may or may not have run, and nothing may be submitted for it.
  virtual absl::StatusOr<ToolOutcome> Run(const quota::v1::ToolCall& call) = 0;
};

}  // namespace holdfast::cli
