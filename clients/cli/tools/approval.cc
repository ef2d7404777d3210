#include "clients/cli/tools/approval.h"

#include <fmt/format.h>

#include "clients/cli/tools/patch_diff.h"
#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/safe_command.h"

namespace holdfast::cli {
namespace {

Decision RunIt() { return {.kind = Decision::Kind::kRun, .reason = {}}; }

Decision Deny(std::string reason) { return {.kind = Decision::Kind::kDeny, .reason = std::move(reason)}; }

const char* Describe(Effect effect) { return effect == Effect::kPatch ? "changes to files" : "this command"; }

}  // namespace

absl::StatusOr<ApprovalMode> ParseApprovalMode(std::string_view text) {
  for (const ApprovalMode mode :
       {ApprovalMode::kReadOnly, ApprovalMode::kAsk, ApprovalMode::kAutoEdit, ApprovalMode::kFull}) {
    if (text == ToString(mode)) return mode;
  }
  return absl::InvalidArgumentError(
      fmt::format("approval mode \"{}\": use read-only, ask, auto-edit or full", Printable(text)));
}

std::string_view ToString(ApprovalMode mode) {
  switch (mode) {
    case ApprovalMode::kReadOnly:
      return "read-only";
    case ApprovalMode::kAsk:
      return "ask";
    case ApprovalMode::kAutoEdit:
      return "auto-edit";
    case ApprovalMode::kFull:
      break;
  }
  return "full";
}

void RememberedApprovals::Remember(const ToolRequest& request) {
  if (const auto* shell = std::get_if<ShellArguments>(&request)) commands_.emplace(shell->folder, shell->command);
  if (std::holds_alternative<Patch>(request)) patches_ = true;
}

bool RememberedApprovals::Covers(const ToolRequest& request) const {
  if (const auto* shell = std::get_if<ShellArguments>(&request))
    return commands_.contains({shell->folder, shell->command});
  return std::holds_alternative<Patch>(request) && patches_;
}

Decision Decide(ApprovalMode mode, const ToolRequest& request, bool interactive,
                const RememberedApprovals& remembered) {
  const Effect effect = EffectOf(request);
  if (mode == ApprovalMode::kFull || effect == Effect::kReadOnly) return RunIt();
  if (mode == ApprovalMode::kAutoEdit && effect == Effect::kPatch) return RunIt();
  if (const auto* shell = std::get_if<ShellArguments>(&request); shell != nullptr && IsKnownSafe(*shell)) {
    return {.kind = Decision::Kind::kRun, .known_safe = true, .reason = {}};
  }
  if (mode == ApprovalMode::kReadOnly) {
    return Deny(fmt::format(
        "The approval mode is read-only: {} may not run. Use the reading tools or simple reading commands, and tell "
        "the user what you would change.",
        Describe(effect)));
  }
  if (remembered.Covers(request)) return RunIt();
  if (interactive) return {.kind = Decision::Kind::kAsk, .reason = {}};
  return Deny(fmt::format(
      "The approval mode is {}, and nobody is there to ask about {}. Go on without, or tell the user to start again "
      "with --approve {}.",
      ToString(mode), Describe(effect), effect == Effect::kPatch ? "auto-edit" : "full"));
}

ApprovalQuestion MakeQuestion(const std::string& call_id, const ToolRequest& request) {
  ApprovalQuestion question{.id = call_id,
                            .call_id = call_id,
                            .tool = {},
                            .effect = EffectOf(request),
                            .command = {},
                            .folder = {},
                            .files = {},
                            .diff = {},
                            .warning = {}};
  if (const auto* shell = std::get_if<ShellArguments>(&request)) {
    question.tool = kShellTool;
    question.command = Printable(shell->command, /*multi_line=*/true);
    question.folder = Printable(shell->folder);
  }
  if (const auto* patch = std::get_if<Patch>(&request)) {
    question.tool = kApplyPatchTool;
    for (const std::string& file : TouchedFiles(*patch)) question.files.push_back(Printable(file));
    question.diff = UnifiedDiff(*patch);
  }
  return question;
}

}  // namespace holdfast::cli
