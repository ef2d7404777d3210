#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/tool_request.h"

namespace holdfast::cli {

enum class ApprovalMode {
  kReadOnly,  // reading tools and known-safe commands; nothing else, nobody is asked
  kAsk,       // those run, everything else asks
  kAutoEdit,  // patches run too, commands that are not known to be safe ask
  kFull,      // everything runs
};

// "read-only", "ask", "auto-edit", "full".
absl::StatusOr<ApprovalMode> ParseApprovalMode(std::string_view text);
std::string_view ToString(ApprovalMode mode);

// What the user allowed for the rest of the session: commands by their exact text and folder, patches as such.
class RememberedApprovals {
 public:
  void Remember(const ToolRequest& request);
  bool Covers(const ToolRequest& request) const;

 private:
  std::set<std::pair<std::string, std::string>> commands_;  // folder, command
  bool patches_ = false;
};

struct Decision {
  enum class Kind { kRun, kAsk, kDeny };
  Kind kind = Kind::kDeny;
  bool known_safe = false;  // kRun: without anybody's consent, because the command is known to read only
  std::string reason;       // kDeny: for the model
};

// `interactive`: there is somebody to ask.
Decision Decide(ApprovalMode mode, const ToolRequest& request, bool interactive, const RememberedApprovals& remembered);

// What the user is shown. Every text is safe for a terminal (Printable).
struct ApprovalQuestion {
  std::string id;  // of this question: a call may be asked about twice
  std::string call_id;
  std::string tool;
  Effect effect = Effect::kCommand;
  std::string command;             // kCommand
  std::string folder;              // kCommand: its working directory
  std::vector<std::string> files;  // kPatch: what it touches
  std::string diff;                // kPatch
  std::string warning;             // what there is to know before one says yes; may be empty
};

struct ApprovalAnswer {
  // kNone: nobody decided, the call is no longer ours to run.
  enum class Kind { kOnce, kForSession, kDeny, kNone };
  Kind kind = Kind::kDeny;
  std::string reason;  // kDeny: for the model; may be empty
};

ApprovalQuestion MakeQuestion(const std::string& call_id, const ToolRequest& request);

}  // namespace holdfast::cli
