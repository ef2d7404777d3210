#include "clients/cli/tools/executor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "clients/cli/tools/safe_command.h"
#include "clients/cli/tools/shell.h"
#include "common/base/random_id.h"

namespace holdfast::cli {
namespace {

constexpr char kMayHaveRun[] =
    "What ran this command was killed while it ran or was about to run: it may or may not have run, in whole or in "
    "part, and its output is lost. It was not run again. Look at what it would have changed before you decide whether "
    "to run it.";
constexpr char kMayHaveRunWarning[] =
    "This command was started before, and what ran it was killed: it may have run, in whole or in part. If you say no, "
    "the agent is told to look for itself.";
absl::Status NotOurs() { return absl::AbortedError("another client runs the session's tools now"); }

// A runner that is killed before its command begins has done nothing; one that never begins will not.
constexpr int kMostStarts = 3;

// What to tell the model about a patch that was started and has no result; nothing if it is to be applied. Tidies up.
std::optional<ToolOutcome> OutcomeOfStartedPatch(const JournalEntry& entry, const Workspace& workspace) {
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
  if (entry->state == JournalEntry::State::kStarted && effect == Effect::kCommand) {
    absl::StatusOr<std::optional<ToolOutcome>> outcome = TakeOver(call, entry->run, *request);
    if (!outcome.ok()) return outcome.status();
    if (*outcome) return **std::move(outcome);
  }
  if (entry->state == JournalEntry::State::kStarted && effect == Effect::kPatch) {
    std::optional<ToolOutcome> outcome = OutcomeOfStartedPatch(*entry, *context_.workspace);
    if (outcome) return Finish(call, *std::move(outcome));
  }

  const Decision decision = Decide(mode_, *request, static_cast<bool>(ask_), remembered_);
  if (decision.kind == Decision::Kind::kDeny) return Finish(call, {.output = decision.reason, .is_error = true});
  if (decision.kind == Decision::Kind::kAsk) {
    const ApprovalAnswer answer = ask_(MakeQuestion(call.call_id(), *request));
    if (answer.kind == ApprovalAnswer::Kind::kNone) return NotOurs();
    if (answer.kind == ApprovalAnswer::Kind::kDeny) {
      const std::string why = answer.reason.empty() ? "without a reason; do not try the same again" : answer.reason;
      return Finish(call, ToOutcome(absl::PermissionDeniedError("The user declined: " + why)));
    }
    if (answer.kind == ApprovalAnswer::Kind::kForSession) remembered_.Remember(*request);
  }

  if (const auto* patch = std::get_if<Patch>(&*request)) return RunPatch(call, *patch);
  if (const auto* shell = std::get_if<ShellArguments>(&*request)) return RunCommand(call, *shell, decision.known_safe);
  const absl::Status started = journal_->RecordStarted(call, {});
  if (!started.ok()) return started;
  return Finish(call, Run(*request, context_));
}

absl::StatusOr<ToolOutcome> ToolExecutor::RunCommand(const quota::v1::ToolCall& call, const ShellArguments& arguments,
                                                     bool known_safe) {
  if (context_.cancel != nullptr && context_.cancel->cancelled())
    return Finish(call, {.output = "cancelled by the user; it was not started", .is_error = true});
  const absl::StatusOr<UniqueFd> folder = OpenFolder(*context_.workspace, arguments);
  if (!folder.ok()) return Finish(call, ToOutcome(folder.status()));
  if (context_.runner.empty()) return Finish(call, {.output = "commands cannot run here", .is_error = true});
  std::vector<EnvironmentEntry> added;
  if (known_safe) added = KnownSafeEnvironment(std::getenv("GIT_CONFIG_COUNT"));

  const std::string name = RandomId();
  absl::StatusOr<CommandRun> run = CommandRun::Make(journal_->RunPath(name), {arguments.command, arguments.timeout});
  if (!run.ok()) return Journal::WithRemedy(run.status());
  if (const absl::Status started = journal_->RecordStartedRun(call, name); !started.ok()) {
    run->Remove();
    return started;
  }
  for (int i = 0; i < kMostStarts; ++i) {
    const absl::Status started =
        run->Start(context_.runner, folder->get(), ChildEnvironment(context_.hidden_variables, added));
    if (!started.ok()) return FinishRun(call, *run, ToOutcome(started));
    const absl::StatusOr<CommandRun::State> state = run->Await(context_.cancel);
    if (!state.ok()) return state.status();
    if (*state != CommandRun::State::kNotBegun) return Settle(call, ToolRequest(arguments), *run, *state);
    if (context_.cancel != nullptr && context_.cancel->cancelled()) break;
  }
  return FinishRun(call, *run,
                   {.output = "The command did not begin: what was to run it has ended.", .is_error = true});
}

absl::StatusOr<std::optional<ToolOutcome>> ToolExecutor::TakeOver(const quota::v1::ToolCall& call,
                                                                  const std::string& run_name,
                                                                  const ToolRequest& request) {
  absl::StatusOr<CommandRun> run = absl::NotFoundError("started without a runner");
  if (!run_name.empty()) run = CommandRun::Find(journal_->RunPath(run_name));
  absl::StatusOr<CommandRun::State> state = CommandRun::State::kLost;
  if (run.ok()) state = run->Look();
  if (state.ok() && *state == CommandRun::State::kRuns) {
    if (context_.notice) context_.notice("the command that was started before still runs; waiting for its end");
    state = run->Await(context_.cancel);
    // Whoever interrupts is told nothing else of the call, and would take the command for ended.
    if (context_.notice && absl::IsFailedPrecondition(state.status()))
      context_.notice(std::string(state.status().message()));
  }
  if (absl::IsDataLoss(state.status())) state = CommandRun::State::kLost;
  if (!state.ok()) return state.status();
  if (*state == CommandRun::State::kNotBegun) {
    run->Remove();
    return std::nullopt;
  }
  absl::StatusOr<ToolOutcome> outcome =
      run.ok() ? Settle(call, request, *run, *state) : SettleLost(call, request, nullptr);
  if (!outcome.ok()) return outcome.status();
  return *std::move(outcome);
}

absl::StatusOr<ToolOutcome> ToolExecutor::Settle(const quota::v1::ToolCall& call, const ToolRequest& request,
                                                 CommandRun& run, CommandRun::State state) {
  const RunRecord& record = run.record();
  if (state == CommandRun::State::kEnded && record.result) {
    const ToolOutcome outcome = DescribeShellResult(*record.result);
    return FinishRun(call, run, {.output = ToOutcome(outcome.output).output, .is_error = outcome.is_error});
  }
  if (state == CommandRun::State::kEnded) return FinishRun(call, run, ToOutcome(absl::InternalError(record.failure)));
  return SettleLost(call, request, &run);
}

absl::StatusOr<ToolOutcome> ToolExecutor::SettleLost(const quota::v1::ToolCall& call, const ToolRequest& request,
                                                     CommandRun* run) {
  if (run != nullptr) run->StopLeftovers();
  ToolOutcome told{.output = kMayHaveRun, .is_error = true};
  if (ask_ && mode_ != ApprovalMode::kReadOnly) {
    ApprovalQuestion question = MakeQuestion(call.call_id(), request);
    question.warning = kMayHaveRunWarning;
    // A command that is lost twice is asked about twice.
    if (run != nullptr) question.id += fmt::format("/{}", run->name());
    const ApprovalAnswer answer = ask_(question);
    if (answer.kind == ApprovalAnswer::Kind::kNone) return NotOurs();
    if (answer.kind != ApprovalAnswer::Kind::kDeny) {
      if (run != nullptr) run->Remove();
      return RunCommand(call, std::get<ShellArguments>(request), /*known_safe=*/false);
    }
    if (!answer.reason.empty()) told.output += " The user said: " + answer.reason;
  }
  if (run != nullptr) return FinishRun(call, *run, std::move(told));
  return Finish(call, std::move(told));
}

absl::StatusOr<ToolOutcome> ToolExecutor::FinishRun(const quota::v1::ToolCall& call, CommandRun& run,
                                                    ToolOutcome outcome) {
  absl::StatusOr<ToolOutcome> finished = Finish(call, std::move(outcome));
  if (finished.ok()) run.Remove();
  return finished;
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
