#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/tools/approval.h"
#include "clients/cli/tools/command_run.h"
#include "clients/cli/tools/journal.h"
#include "clients/cli/tools/registry.h"

namespace holdfast::cli {

// Runs each tool call of a session at most once knowingly: approval, journal and tools together. One thread.
class ToolExecutor {
 public:
  using Ask = std::function<ApprovalAnswer(const ApprovalQuestion&)>;

  // `journal` (null: set_journal comes first) and what `context` points to outlive the executor. Without `ask` nobody
  // is there to be asked.
  ToolExecutor(ApprovalMode mode, Journal* journal, ToolContext context, Ask ask);

  // The outcome to submit; it is durable in the journal before this returns. Blocks while the tool runs or the user
  // thinks. A call whose result is in the journal does not run again. One that was started and has no result there:
  // reading tools run again; a patch is judged by the files' content (done already, or not begun and run now, or
  // unclear and reported); a command is awaited while its runner lives, and its result taken once it ended. Where the
  // runner died, the user is asked whether to run it again, and without one the model is told to look. ABORTED: `ask`
  // says that the call is no longer ours; it was not started. Another error means that the journal failed: nothing may
  // be submitted, and the call may or may not have run.
  absl::StatusOr<ToolOutcome> Execute(const quota::v1::ToolCall& call);

  // For the calls from now on.
  void set_journal(Journal* journal) { journal_ = journal; }
  void SetMode(ApprovalMode mode) { mode_ = mode; }
  ApprovalMode mode() const { return mode_; }

 private:
  absl::StatusOr<ToolOutcome> Finish(const quota::v1::ToolCall& call, ToolOutcome outcome);
  absl::StatusOr<ToolOutcome> RunPatch(const quota::v1::ToolCall& call, const Patch& patch);
  absl::StatusOr<ToolOutcome> RunCommand(const quota::v1::ToolCall& call, const ShellArguments& arguments,
                                         bool known_safe);
  // A command that another client has started. Nothing: it did not begin, and is to run now.
  absl::StatusOr<std::optional<ToolOutcome>> TakeOver(const quota::v1::ToolCall& call, const std::string& run,
                                                      const ToolRequest& request);
  // A command that is no longer run.
  absl::StatusOr<ToolOutcome> Settle(const quota::v1::ToolCall& call, const ToolRequest& request, CommandRun& run,
                                     CommandRun::State state);
  // A command of which nobody knows whether it ran; `run`: what there is of it, or null.
  absl::StatusOr<ToolOutcome> SettleLost(const quota::v1::ToolCall& call, const ToolRequest& request, CommandRun* run);
  absl::StatusOr<ToolOutcome> FinishRun(const quota::v1::ToolCall& call, CommandRun& run, ToolOutcome outcome);

  ApprovalMode mode_;
  Journal* journal_;
  ToolContext context_;
  Ask ask_;
  RememberedApprovals remembered_;
};

}  // namespace holdfast::cli
