#include "clients/cli/commands/tool_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <variant>

#include "clients/cli/tools/patch_diff.h"
#include "clients/cli/tools/tool_request.h"

namespace holdfast::cli {
namespace {

struct Describe {
  std::string operator()(const ShellArguments& arguments) const { return arguments.command; }
  std::string operator()(const Patch& patch) const { return fmt::format("{}", fmt::join(TouchedFiles(patch), ", ")); }
  std::string operator()(const ReadFileArguments& arguments) const { return arguments.path; }
  std::string operator()(const ListFilesArguments& arguments) const { return arguments.path; }
};

}  // namespace

std::string ToolLine(const quota::v1::ToolCall& call) {
  const absl::StatusOr<ToolRequest> request = ParseToolCall(call);
  return fmt::format("{}: {}", call.name(), request.ok() ? std::visit(Describe{}, *request) : call.arguments());
}

std::string_view LinkLostLine(bool has_session) {
  return has_session ? "agent_service unreachable · reconnecting · session saved"
                     : "agent_service unreachable · reconnecting";
}

}  // namespace holdfast::cli
