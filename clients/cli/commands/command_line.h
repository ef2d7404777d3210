#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <variant>

#include "clients/cli/tools/approval.h"
#include "common/base/address.h"
#include "common/base/clock.h"

namespace holdfast::cli {

// Where the services are, and as whom to speak to them.
struct Services {
  Address agent;
  Address quota;
  std::string token;  // may be empty
};

// What exec and chat share.
struct TurnOptions {
  std::string session_id;  // or a beginning of it; empty: a new session, or the newest with `last`
  bool last = false;       // exec only
  std::string model;       // as asked for; empty: the session's
  std::string new_model;   // of a new session; empty: the server's default
  std::string folder;      // empty: the current one
  ApprovalMode approval = ApprovalMode::kAsk;
  std::optional<Duration> max_wait;  // absent: agent_service's default
};

struct ExecCommand {
  TurnOptions turn;
  std::string prompt;  // "-": from standard input
  bool json = false;
  std::string output_file;  // empty: none
};

struct ChatCommand {
  TurnOptions turn;
};

struct SessionsCommand {
  enum class Action { kList, kShow, kCancel, kDelete, kFork, kSnapshot, kRestore, kExport, kImport };
  Action action = Action::kList;
  std::string session_id;  // or a beginning of it
  std::string name;        // of a snapshot; restore: empty where `at` is given
  int64_t at = 0;          // fork, restore: an event; 0: the newest
  std::string file;        // export, import: "-" is standard output or input
  bool force = false;      // export: replace the file
  bool json = false;
};

struct QuotaStatusCommand {
  bool watch = false;
  bool json = false;
};

struct QuotaCheckCommand {
  std::string model;
  int64_t tokens = 0;
  Duration max_wait = Duration::zero();
  bool json = false;
};

struct CommandLine {
  Services services;
  std::variant<ExecCommand, ChatCommand, SessionsCommand, QuotaStatusCommand, QuotaCheckCommand> command;
};

// What the arguments and the environment (HOLDFAST_AGENT, HOLDFAST_QUOTA, HOLDFAST_TOKEN, HOLDFAST_MODEL) say. Where
// they ask for nothing but help or the version, or are wrong, that goes to `out` or `err`, and the exit code comes
// back.
std::variant<CommandLine, int> ParseCommandLine(int argc, const char* const* argv, std::ostream& out,
                                                std::ostream& err);

}  // namespace holdfast::cli
