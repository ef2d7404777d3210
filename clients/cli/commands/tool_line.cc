#include "clients/cli/commands/tool_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <variant>

#include "clients/cli/terminal/sanitize.h"
#include "clients/cli/tools/patch_diff.h"
#include "clients/cli/tools/tool_request.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMaxReason = 400;

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

std::string ApprovalWord(agent::v1::ApprovalAnswer answer) {
  if (answer == agent::v1::APPROVAL_ANSWER_ONCE) return "once";
  return answer == agent::v1::APPROVAL_ANSWER_SESSION ? "session" : "deny";
}

std::string ApprovalLine(const agent::v1::ApprovalDecided& decided) {
  const bool denied = decided.answer() == agent::v1::APPROVAL_ANSWER_DENY;
  std::string line = denied                                                   ? "denied"
                     : decided.answer() == agent::v1::APPROVAL_ANSWER_SESSION ? "approved for the session"
                                                                              : "approved";
  if (!decided.by().empty()) line += " by " + decided.by();
  if (!decided.reason().empty()) line += ": " + decided.reason();
  return line;
}

std::string LinkLostLine(const std::string& reason, bool has_session) {
  const std::string saved = has_session ? " · session saved" : "";
  if (reason.empty()) return "agent_service unreachable · reconnecting" + saved;
  return fmt::format("agent_service cannot go on · trying again{}: {}", saved, SanitizeLine(reason, kMaxReason));
}

std::string LogWentBackLine(const LogWentBack& change) {
  return fmt::format(
      "the session's log ends at event {} and not at {}, its database was put back or salvaged · showing the turn as "
      "it "
      "is now",
      change.last, change.seen);
}

}  // namespace holdfast::cli
