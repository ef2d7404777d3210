#include "clients/cli/tools/registry.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "clients/cli/tools/apply_patch.h"
#include "clients/cli/tools/list_files.h"
#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/read_file.h"
#include "clients/cli/tools/shell.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr char kShellDescription[] =
    "Runs a command with /bin/sh in the workspace and returns its exit code and its output (standard output and error "
    "together; head "
    "and tail where it is long). There is no standard input. The command and its children are killed at the time-out.";
constexpr char kShellSchema[] = R"({"type":"object","properties":{
"command":{"type":"string","description":"The command line."},
"cwd":{"type":"string","description":"The working directory, inside the workspace. Default: its root."},
"timeout_ms":{"type":"integer","minimum":1,"maximum":1800000,"description":"Milliseconds. Default: 120000."}},
"required":["command"],"additionalProperties":false})";

constexpr char kPatchDescription[] =
    "Adds, changes, moves and deletes files of the workspace. The patch is text of this form:\n"
    "*** Begin Patch\n"
    "*** Add File: path/new.txt\n"
    "+every line of the new file\n"
    "*** Update File: path/old.txt\n"
    "*** Move to: path/renamed.txt (optional, directly below)\n"
    "@@ a line of the file above the change, such as the name of the function (optional, repeatable)\n"
    " a line of context\n"
    "-a line to remove\n"
    "+a line to add\n"
    "*** End of File (optional: the hunk ends with the file)\n"
    "*** Delete File: path/gone.txt\n"
    "*** End Patch\n"
    "Give about three lines of context around a change; hunks stand in the order of the file and must fit in one place "
    "only. Either "
    "everything fits and is written, or nothing is.";
constexpr char kPatchSchema[] = R"({"type":"object","properties":{
"patch":{"type":"string","description":"The patch, from *** Begin Patch to *** End Patch."}},
"required":["patch"],"additionalProperties":false})";

constexpr char kReadDescription[] =
    "Returns the content of a file of the workspace, or a range of its bytes. Where the file goes on, the last line "
    "says how to read on.";
constexpr char kReadSchema[] = R"({"type":"object","properties":{
"path":{"type":"string","description":"Relative to the workspace."},
"offset":{"type":"integer","minimum":0,"description":"The first byte. Default: 0."},
"limit":{"type":"integer","minimum":1,"maximum":65536,"description":"The most bytes. Default: 65536."}},
"required":["path"],"additionalProperties":false})";

constexpr char kListDescription[] =
    "Lists the files and folders below a folder of the workspace, recursively and sorted, at most 1000; folders end in "
    "a slash.";
constexpr char kListSchema[] = R"({"type":"object","properties":{
"path":{"type":"string","description":"The folder, relative to the workspace. Default: its root."}},
"additionalProperties":false})";

constexpr char kPlanDescription[] =
    "Keeps the plan of the task, which the user sees and which survives when the conversation is compacted. Give all "
    "steps "
    "each time. At most one is in_progress.";
constexpr char kPlanSchema[] = R"({"type":"object","properties":{
"explanation":{"type":"string","description":"Why the plan changed."},
"plan":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","properties":{
"step":{"type":"string"},"status":{"type":"string","enum":["pending","in_progress","completed"]}},
"required":["step","status"],"additionalProperties":false}}},
"required":["plan"],"additionalProperties":false})";

quota::v1::Tool Declare(const char* name, const char* description, const char* schema) {
  quota::v1::Tool tool;
  tool.set_name(name);
  tool.set_description(description);
  tool.set_parameters(schema);
  return tool;
}

struct Runner {
  const ToolContext& context;
  const std::vector<EnvironmentEntry>& added;

  ToolOutcome operator()(const ShellArguments& arguments) const {
    const absl::StatusOr<UniqueFd> folder = OpenFolder(*context.workspace, arguments);
    if (!folder.ok()) return ErrorOutcome(folder.status());
    const absl::StatusOr<ShellResult> result = RunShell({.command = arguments.command,
                                                         .folder = folder->get(),
                                                         .timeout = arguments.timeout,
                                                         .hidden = context.hidden_variables,
                                                         .added = added,
                                                         .cancel = context.cancel});
    return result.ok() ? DescribeShellResult(*result) : ErrorOutcome(result.status());
  }

  ToolOutcome operator()(const Patch& patch) const {
    const absl::StatusOr<PatchPlan> plan = PlanPatch(*context.workspace, patch);
    return plan.ok() ? ToOutcome(WritePatch(*context.workspace, *plan)) : ErrorOutcome(plan.status());
  }

  ToolOutcome operator()(const ReadFileArguments& arguments) const {
    return ToOutcome(ReadFile(*context.workspace, arguments));
  }

  ToolOutcome operator()(const ListFilesArguments& arguments) const {
    return ToOutcome(ListFiles(*context.workspace, arguments.path));
  }
};

ToolOutcome Bounded(ToolOutcome outcome) {
  outcome.output = KeepHeadAndTail(RepairUtf8(outcome.output), kMaxToolOutput);
  return outcome;
}

}  // namespace

std::vector<quota::v1::Tool> ToolDeclarations() {
  return {Declare(kShellTool, kShellDescription, kShellSchema),
          Declare(kApplyPatchTool, kPatchDescription, kPatchSchema),
          Declare(kReadFileTool, kReadDescription, kReadSchema), Declare(kListFilesTool, kListDescription, kListSchema),
          Declare(kUpdatePlanTool, kPlanDescription, kPlanSchema)};
}

absl::StatusOr<UniqueFd> OpenFolder(const Workspace& workspace, const ShellArguments& arguments) {
  const absl::StatusOr<ResolvedPath> path = workspace.Resolve(arguments.folder, Access::kRead);
  if (!path.ok()) return path.status();
  if (!path->exists) {
    return absl::NotFoundError(fmt::format("{}: the working directory does not exist", Printable(arguments.folder)));
  }
  return workspace.OpenPath(*path, O_PATH | O_DIRECTORY);
}

ToolOutcome Run(const quota::v1::ToolCall& call, const ToolContext& context) {
  const absl::StatusOr<ToolRequest> request = ParseToolCall(call);
  return request.ok() ? Run(*request, context) : Bounded(ErrorOutcome(request.status()));
}

ToolOutcome Run(const ToolRequest& request, const ToolContext& context, const std::vector<EnvironmentEntry>& added) {
  return Bounded(std::visit(Runner{context, added}, request));
}

ToolOutcome ToOutcome(const absl::StatusOr<std::string>& text) {
  return Bounded(text.ok() ? ToolOutcome{.output = *text} : ErrorOutcome(text.status()));
}

}  // namespace holdfast::cli
