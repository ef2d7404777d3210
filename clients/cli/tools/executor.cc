#include "clients/cli/tools/executor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "clients/cli/tools/safe_command.h"

namespace holdfast::cli {
namespace {

constexpr char kMayHaveRun[] =
    "The client was interrupted while this command ran or was about to run: it may or may not have run, in whole or in "
    "part, it may still be running, and its output is lost. It was not run again. Look at what it would have changed "
    "before you decide whether to run it.";

// What to tell the model about a call that was started and has no result; nothing if it is to run (again). Tidies up
// after a patch.
std::optional<ToolOutcome> OutcomeOfStarted(const JournalEntry& entry, Effect effect, const Workspace& workspace) {
  if (effect == Effect::kReadOnly) return std::nullopt;
  if (effect == Effect::kCommand) return ToolOutcome{.output = kMayHaveRun, .is_error = true};
  RemoveStaged(workspace, entry.transitions);
  const PatchInspection inspection = InspectPatch(workspace, entry.transitions);
  switch (inspection.progress) {
    case PatchProgress::kNothing:
      return std::nullopt;
    case PatchProgress::kComplete:
      return ToolOutcome{.output =
                             "The patch was already applied before the client was interrupted.\n" + inspection.report};
    case PatchProgress::kUnclear:
      break;
  }
  return ToolOutcome{
      .output =
          "The client was interrupted while it applied this patch, and the files do not tell how far it came. It was "
          "not applied again. Read these files and patch what is missing:\n" +
          inspection.report,
      .is_error = true};
}

}  // namespace

ToolExecutor::ToolExecutor(ApprovalMode mode, Journal* journal, ToolContext context, Ask ask)
    : mode_(mode), journal_(journal), context_(std::move(context)), ask_(std::move(ask)) {}

absl::StatusOr<ToolOutcome> ToolExecutor::Execute(const quota::v1::ToolCall& call) {
  absl::StatusOr<JournalEntry> entry = journal_->Lookup(call);
  if (!entry.ok()) return entry.status();
  if (entry->state == JournalEntry::State::kResult) return std::move(entry->outcome);

  const absl::StatusOr<ToolRequest> request = ParseToolCall(call);
  if (!request.ok()) return Finish(call, ToOutcome(request.status()));
  const Effect effect = EffectOf(*request);
  if (entry->state == JournalEntry::State::kStarted) {
    std::optional<ToolOutcome> outcome = OutcomeOfStarted(*entry, effect, *context_.workspace);
    if (outcome) return Finish(call, *std::move(outcome));
  }

  const Decision decision = Decide(mode_, *request, static_cast<bool>(ask_), remembered_);
  if (decision.kind == Decision::Kind::kDeny) return Finish(call, {.output = decision.reason, .is_error = true});
  if (decision.kind == Decision::Kind::kAsk) {
    const ApprovalAnswer answer = ask_(MakeQuestion(call.call_id(), *request));
    if (answer.kind == ApprovalAnswer::Kind::kDeny) {
      const std::string why = answer.reason.empty() ? "without a reason; do not try the same again" : answer.reason;
      return Finish(call, ToOutcome(absl::PermissionDeniedError("The user declined: " + why)));
    }
    if (answer.kind == ApprovalAnswer::Kind::kForSession) remembered_.Remember(*request);
  }

  if (const auto* patch = std::get_if<Patch>(&*request)) return RunPatch(call, *patch);
  const absl::Status started = journal_->RecordStarted(call, {});
  if (!started.ok()) return started;
  std::vector<EnvironmentEntry> added;
  if (decision.known_safe) added = KnownSafeEnvironment(std::getenv("GIT_CONFIG_COUNT"));
  return Finish(call, Run(*request, context_, added));
}

absl::StatusOr<ToolOutcome> ToolExecutor::RunPatch(const quota::v1::ToolCall& call, const Patch& patch) {
  const absl::StatusOr<PatchPlan> plan = PlanPatch(*context_.workspace, patch);
  if (!plan.ok()) return Finish(call, ToOutcome(plan.status()));
  const absl::Status started = journal_->RecordStarted(call, plan->transitions);
  if (!started.ok()) return started;
  return Finish(call, ToOutcome(WritePatch(*context_.workspace, *plan)));
}

absl::StatusOr<ToolOutcome> ToolExecutor::Finish(const quota::v1::ToolCall& call, ToolOutcome outcome) {
  const absl::Status recorded = journal_->RecordResult(call, outcome);
  if (!recorded.ok()) return recorded;
  return outcome;
}

}  // namespace holdfast::cli
