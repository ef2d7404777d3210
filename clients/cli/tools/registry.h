#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/cancel_token.h"
#include "clients/cli/tools/spawn.h"
#include "clients/cli/tools/tool_outcome.h"
#include "clients/cli/tools/tool_request.h"
#include "clients/cli/tools/workspace.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// What tools run in. Nothing is owned.
struct ToolContext {
  const Workspace* workspace = nullptr;
  std::vector<std::string> hidden_variables;  // that commands must not see: credentials
  const CancelToken* cancel = nullptr;        // null: cannot be cancelled
  // The program and the arguments that make a runner (RunAsRunner). Empty: ToolExecutor runs no commands.
  std::vector<std::string> runner{};
  std::function<void(const std::string&)> notice{};  // words for people about what goes on; may be empty
};

// Declared here, and run by agent_service, which keeps the plan.
inline constexpr char kUpdatePlanTool[] = "update_plan";

// What the model is told about the tools: names, descriptions, JSON schemas of the arguments.
std::vector<quota::v1::Tool> ToolDeclarations();

// Runs a call, without asking anybody and without a journal. Blocks. Every failure is an outcome with is_error.
ToolOutcome Run(const quota::v1::ToolCall& call, const ToolContext& context);
// `added`: variables for a command.
ToolOutcome Run(const ToolRequest& request, const ToolContext& context,
                const std::vector<EnvironmentEntry>& added = {});

// The working directory of a command.
absl::StatusOr<UniqueFd> OpenFolder(const Workspace& workspace, const ShellArguments& arguments);

// A tool's text or its error, bounded by kMaxToolOutput.
ToolOutcome ToOutcome(const absl::StatusOr<std::string>& text);

}  // namespace holdfast::cli
