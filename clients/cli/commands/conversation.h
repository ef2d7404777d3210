#pragma once

#include <memory>
#include <optional>
#include <string>

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/turn_reporter.h"
#include "clients/cli/commands/turn_runner.h"
#include "clients/cli/commands/workspace_tools.h"
#include "clients/cli/terminal/interrupts.h"
#include "clients/cli/terminal/screen.h"

namespace holdfast::cli {

// A session and its turns, one after the other, with the tools of one workspace. What goes wrong has been reported when
// a method returns. One thread.
class Conversation {
 public:
  // References outlive the conversation.
  Conversation(AgentClient& client, TurnReporter& reporter, Screen& screen, Interrupts& interrupts,
               TurnOptions options);

  // Opens the workspace, and the session if the options name one. Returns an exit code.
  int Open();
  // Runs a turn; makes the session first if there is none.
  TurnResult Say(const std::string& text);
  // Follows the turn that runs in the session, if one does.
  std::optional<TurnResult> FollowRunning();
  // The next turn begins a new session.
  void StartAnew();

  // Empty while there is none.
  const std::string& session_id() const { return session_id_; }
  const std::string& workspace() const { return workspace_->root(); }
  const TurnOptions& options() const { return options_; }

 private:
  int FindSession();
  int FindLast();
  int CreateSession();
  // The session is `session_id_` from now on.
  int Adopt();
  // Reports and translates. CANCELLED while an interrupt is pending: interrupted.
  int Refuse(const grpc::Status& status);
  Duration MaxWait() const;

  AgentClient& client_;
  TurnReporter& reporter_;
  Screen& screen_;
  Interrupts& interrupts_;
  TurnOptions options_;
  std::optional<Workspace> workspace_;
  std::string session_id_;
  std::string running_turn_;  // when the session was opened
  std::unique_ptr<WorkspaceTools> tools_;
};

}  // namespace holdfast::cli
