#include "clients/cli/commands/workspace_tools.h"

#include <cstdlib>
#include <utility>

#include "clients/cli/commands/approval_prompt.h"
#include "clients/cli/tools/runner.h"

namespace holdfast::cli {

absl::StatusOr<std::string> JournalFolder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/holdfast/journal";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.local/state/holdfast/journal";
  return absl::FailedPreconditionError("set HOME or XDG_STATE_HOME: the journal of tool calls is kept below it");
}

absl::StatusOr<std::unique_ptr<WorkspaceTools>> WorkspaceTools::Open(const Workspace& workspace,
                                                                     const std::string& session_id, ApprovalMode mode,
                                                                     Screen& screen, Interrupts& interrupts) {
  absl::StatusOr<std::string> folder = JournalFolder();
  if (!folder.ok()) return folder.status();
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(*folder, session_id);
  if (!journal.ok()) return journal.status();
  return std::unique_ptr<WorkspaceTools>(new WorkspaceTools(workspace, *std::move(journal), mode, screen, interrupts));
}

WorkspaceTools::WorkspaceTools(const Workspace& workspace, std::unique_ptr<Journal> journal, ApprovalMode mode,
                               Screen& screen, Interrupts& interrupts)
    : interrupts_(interrupts),
      journal_(std::move(journal)),
      executor_(mode, journal_.get(),
                {.workspace = &workspace,
                 .hidden_variables = {"HOLDFAST_TOKEN"},
                 .cancel = &cancel_,
                 // This very program, whatever has its name by now.
                 .runner = {"/proc/self/exe", kRunnerArgument},
                 .notice = [&screen](const std::string& text) { screen.ErrDim(text); }},
                MakeApprovalPrompt(screen, interrupts)) {}

absl::StatusOr<ToolOutcome> WorkspaceTools::Run(const quota::v1::ToolCall& call) {
  cancel_ = CancelToken();  // an earlier turn's interrupt is over
  interrupts_.ForwardTo(cancel_.fd());
  if (interrupts_.pending()) cancel_.Cancel();
  absl::StatusOr<ToolOutcome> outcome = executor_.Execute(call);
  interrupts_.ForwardTo(-1);
  return outcome;
}

}  // namespace holdfast::cli
