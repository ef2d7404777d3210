#pragma once

#include <optional>
#include <string>

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/commands/approval_prompt.h"
#include "clients/cli/terminal/screen.h"

namespace holdfast::cli {

// Questions that every client of a session may answer: this one asks on its terminal, and stops asking when another was
// faster. One thread.
class SharedApproval {
 public:
  // `prompt` is not empty. References outlive it. `by`: who answers here, for people.
  SharedApproval(AgentClient& client, std::string session_id, std::string by, ApprovalPrompt prompt, Screen& screen,
                 Interrupts& interrupts);

  // As the holder of lease `generation`: puts the question, unless it was put before, and waits for the first answer.
  // kNone: the lease has moved, or the turn has ended.
  ApprovalAnswer Ask(const ApprovalQuestion& question, int64_t generation);
  // As one of those who look on. Returns when somebody has answered, or the turn has ended.
  void Offer(const agent::v1::ApprovalRequested& asked, int64_t sequence);

 private:
  // The answer that counts; nothing: nobody will answer any more.
  std::optional<ApprovalAnswer> AwaitAnswer(const std::string& approval_id, const std::string& question,
                                            int64_t sequence);
  std::optional<ApprovalAnswer> Decide(const std::string& approval_id, const ApprovalAnswer& answer);

  AgentClient& client_;
  const std::string session_id_;
  const std::string by_;
  const ApprovalPrompt prompt_;
  Screen& screen_;
  Interrupts& interrupts_;
};

}  // namespace holdfast::cli
