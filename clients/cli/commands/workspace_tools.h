#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/commands/held_lease.h"
#include "clients/cli/commands/shared_approval.h"
#include "clients/cli/commands/tool_runner.h"
#include "clients/cli/terminal/interrupts.h"
#include "clients/cli/terminal/screen.h"
#include "clients/cli/tools/executor.h"

namespace holdfast::cli {

// The tools of one session in one workspace, asking on the terminal, ended early by interrupts. To have the seat is to
// have locked the session's journal, which keeps other clients of this machine away, and to hold the session's lease,
// which keeps all others away.
class WorkspaceTools final : public ToolRunner {
 public:
  // The journal can be written, whoever has it now. References outlive the tools.
  static absl::StatusOr<std::unique_ptr<WorkspaceTools>> Open(AgentClient& client, const Workspace& workspace,
                                                              const std::string& session_id, ApprovalMode mode,
                                                              Screen& screen, Interrupts& interrupts);

  std::vector<quota::v1::Tool> Declarations() const override { return ToolDeclarations(); }
  agent::v1::ToolPlace Place() const override { return place_; }
  Seat TakeSeat(Link& link) override;
  void LeaveSeat() override;
  int64_t lease_generation() const override { return lease_ ? lease_->generation() : 0; }
  absl::StatusOr<ToolOutcome> Run(const quota::v1::ToolCall& call, const std::string& turn_id) override;
  void Offer(const agent::v1::ApprovalRequested& asked, int64_t sequence) override;

 private:
  WorkspaceTools(AgentClient& client, const Workspace& workspace, std::string session_id, std::string folder,
                 agent::v1::ToolPlace place, ApprovalMode mode, Screen& screen, Interrupts& interrupts);

  // The lease, once the journal is ours.
  Seat Acquire(Link& link);

  AgentClient& client_;
  Interrupts& interrupts_;
  const std::string session_id_;
  const std::string folder_;  // of journals
  const agent::v1::ToolPlace place_;
  const std::string holder_;
  CancelToken cancel_;
  std::unique_ptr<SharedApproval> approval_;  // null: nobody is here to be asked
  std::unique_ptr<Journal> journal_;          // while the seat is ours
  std::unique_ptr<HeldLease> lease_;          // the same; null with a server that has no leases
  ToolExecutor executor_;
};

// Where journals are: $XDG_STATE_HOME/holdfast/journal, or below ~/.local/state. FAILED_PRECONDITION: neither variable
// is set.
absl::StatusOr<std::string> JournalFolder();
// Whether it is there, or can be made, and may be written; to be asked before a session is made that needs it.
absl::Status CheckJournalFolder();

}  // namespace holdfast::cli
