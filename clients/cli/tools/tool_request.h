#pragma once

#include <chrono>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "clients/cli/tools/patch_parser.h"
#include "clients/cli/tools/read_file.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

struct ShellArguments {
  std::string command;
  std::string folder = ".";  // argument `cwd`
  std::chrono::milliseconds timeout{};
};

struct ListFilesArguments {
  std::string path = ".";
};

// A tool call whose arguments were checked. Paths are still hostile.
using ToolRequest = std::variant<ShellArguments, Patch, ReadFileArguments, ListFilesArguments>;

enum class Effect {
  kReadOnly,  // may run again
  kPatch,     // changes files; what it did can be told from their content
  kCommand,   // may do anything
};

inline constexpr char kShellTool[] = "shell";
inline constexpr char kApplyPatchTool[] = "apply_patch";
inline constexpr char kReadFileTool[] = "read_file";
inline constexpr char kListFilesTool[] = "list_files";

// Strict: an unknown tool, and a missing, mistyped, unknown or out-of-range argument are INVALID_ARGUMENT with a text
// that tells the model what to send instead. null stands for an optional argument that is absent.
absl::StatusOr<ToolRequest> ParseToolCall(const quota::v1::ToolCall& call);

Effect EffectOf(const ToolRequest& request);
// By name alone; kCommand for a tool that is not known.
Effect EffectOf(const quota::v1::ToolCall& call);

}  // namespace holdfast::cli
