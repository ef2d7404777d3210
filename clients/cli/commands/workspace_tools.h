#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/commands/tool_runner.h"
#include "clients/cli/terminal/interrupts.h"
#include "clients/cli/terminal/screen.h"
#include "clients/cli/tools/executor.h"

namespace holdfast::cli {

// The tools of one session in one workspace, with its journal, asking on the terminal, ended early by interrupts.
class WorkspaceTools final : public ToolRunner {
 public:
  // FAILED_PRECONDITION: another process works on the session. `screen` and `interrupts` outlive the tools.
  static absl::StatusOr<std::unique_ptr<WorkspaceTools>> Open(const Workspace& workspace, const std::string& session_id,
                                                              ApprovalMode mode, Screen& screen,
                                                              Interrupts& interrupts);

  std::vector<quota::v1::Tool> Declarations() const override { return ToolDeclarations(); }
  absl::StatusOr<ToolOutcome> Run(const quota::v1::ToolCall& call) override;

 private:
  WorkspaceTools(const Workspace& workspace, std::unique_ptr<Journal> journal, ApprovalMode mode, Screen& screen,
                 Interrupts& interrupts);

  Interrupts& interrupts_;
  CancelToken cancel_;
  std::unique_ptr<Journal> journal_;
  ToolExecutor executor_;
};

// Where journals are: $XDG_STATE_HOME/holdfast/journal, or below ~/.local/state. FAILED_PRECONDITION: neither variable
// is set.
absl::StatusOr<std::string> JournalFolder();

}  // namespace holdfast::cli
