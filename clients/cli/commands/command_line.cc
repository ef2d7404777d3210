#include "clients/cli/commands/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "common/base/duration_text.h"
#include "common/base/utf8.h"
#include "common/base/version.h"

namespace holdfast::cli {
namespace {

constexpr char kExitCodes[] =
    "Exit codes: 0 done / fits now; 1 failed; 2 usage; 69 service unreachable; 75 must wait longer than allowed;\n"
    "76 can never fit; 77 not authorised; 130 interrupted.\n"
    "Environment: HOLDFAST_AGENT, HOLDFAST_QUOTA, HOLDFAST_TOKEN, HOLDFAST_MODEL, NO_COLOR.";

// What CLI11 hands over as text, before it is checked and converted.
struct RawTurn {
  std::string approval = "ask";
  std::string max_wait;
};

std::string Message(const absl::Status& status) { return std::string(status.message()); }

CLI::Validator IsDuration() {
  return {[](std::string& text) {
            const auto duration = ParseDuration(text);
            return duration.ok() ? std::string() : Message(duration.status());
          },
          "DURATION"};
}

CLI::Validator IsTokens() {
  return {[](std::string& text) {
            constexpr int64_t kMost = int64_t{1} << 40;
            int64_t value = -1;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool whole = error == std::errc() && end == text.data() + text.size();
            return whole && value >= 0 && value <= kMost
                       ? std::string()
                       : fmt::format("\"{}\" is no whole number from 0 to {}; write digits alone, as in 1000000", text,
                                     kMost);
          },
          "TOKENS"};
}

CLI::Validator IsAddress() {
  return {[](std::string& text) {
            const auto address = ParseAddress(text);
            if (!address.ok()) return Message(address.status());
            if (!address->is_unix() && address->port == 0)
              return fmt::format("\"{}\": port 0 cannot be connected to", text);
            return std::string();
          },
          "ADDR"};
}

CLI::Validator IsText(size_t max_bytes) {
  return {[max_bytes](std::string& text) {
            if (text.empty()) return std::string("must not be empty");
            if (text.size() > max_bytes)
              return fmt::format("has {} bytes; at most {} are allowed", text.size(), max_bytes);
            return IsValidUtf8(text) ? std::string() : std::string("is not valid UTF-8");
          },
          "TEXT"};
}

void AddTurnOptions(CLI::App& app, TurnOptions& turn, RawTurn& raw) {
  app.add_option("--session", turn.session_id, "Continue this session; the first characters of its id will do")
      ->check(IsText(256));
  app.add_option("--model", turn.model, "Model; default: the session's, for a new one HOLDFAST_MODEL or the server's")
      ->check(IsText(256));
  app.add_option("--cwd", turn.folder, "Workspace; default: the current directory")->check(CLI::ExistingDirectory);
  app.add_option("--approve", raw.approval, "What runs without asking")
      ->check(CLI::IsMember({"read-only", "ask", "auto-edit", "full"}))
      ->capture_default_str();
  app.add_option("--max-wait", raw.max_wait,
                 "The most a turn may wait in all; default: agent_service's, 1h with a terminal and 15m without")
      ->check(IsDuration());
}

TurnOptions Finished(TurnOptions turn, const RawTurn& raw) {
  turn.approval = ParseApprovalMode(raw.approval).value_or(ApprovalMode::kAsk);
  const char* usual = std::getenv("HOLDFAST_MODEL");
  turn.new_model = turn.model.empty() && usual != nullptr ? RepairUtf8(usual) : turn.model;
  if (!raw.max_wait.empty()) turn.max_wait = ParseDuration(raw.max_wait).value_or(Duration::zero());
  return turn;
}

// gRPC does not send a header with other characters.
bool IsHeaderText(const std::string& token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace

std::variant<CommandLine, int> ParseCommandLine(int argc, const char* const* argv, std::ostream& out,
                                                std::ostream& err) {
  std::string agent = "127.0.0.1:50052";
  std::string quota = "127.0.0.1:50051";
  CommandLine line;

  CLI::App app("A coding agent whose sessions survive rate limits, restarts and broken links.", "holdfast");
  app.set_version_flag("--version", fmt::format("holdfast {}", kVersion));
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.add_option("--agent", agent, "Address of agent_service")
      ->envname("HOLDFAST_AGENT")
      ->check(IsAddress())
      ->capture_default_str();
  app.add_option("--quota", quota, "Address of quota_service")
      ->envname("HOLDFAST_QUOTA")
      ->check(IsAddress())
      ->capture_default_str();

  ExecCommand exec;
  RawTurn exec_raw;
  CLI::App* exec_app = app.add_subcommand("exec", "Run one turn and print the final answer")->fallthrough();
  exec_app->add_option("PROMPT", exec.prompt, "What to do; - reads it from standard input")->required();
  AddTurnOptions(*exec_app, exec.turn, exec_raw);
  exec_app->add_flag("--last", exec.turn.last, "Continue this workspace's newest session")->excludes("--session");
  exec_app->add_flag("--json", exec.json, "Print events as JSON lines");
  exec_app->add_option("-o,--output", exec.output_file, "Write the final answer to this file, too")
      ->check(CLI::Validator(
          [](std::string& path) {
            return path.empty() ? std::string("-o: must not be empty; name a file") : std::string();
          },
          ""));

  ChatCommand chat;
  RawTurn chat_raw;
  CLI::App* chat_app = app.add_subcommand("chat", "Talk with the agent, line by line")->fallthrough();
  AddTurnOptions(*chat_app, chat.turn, chat_raw);

  SessionsCommand sessions;
  CLI::App* sessions_app =
      app.add_subcommand("sessions", "List, show, cancel, copy, restore, export or delete sessions")->fallthrough();
  sessions_app->require_subcommand(1);
  CLI::App* list = sessions_app->add_subcommand("list", "All sessions, the last used first")->fallthrough();
  CLI::App* show = sessions_app->add_subcommand("show", "What happened in a session")->fallthrough();
  CLI::App* cancel = sessions_app->add_subcommand("cancel", "End the turn that runs or waits")->fallthrough();
  CLI::App* remove = sessions_app->add_subcommand("delete", "End its turn and delete a session")->fallthrough();
  CLI::App* fork = sessions_app->add_subcommand("fork", "A new session with this one's past")->fallthrough();
  CLI::App* snapshot = sessions_app->add_subcommand("snapshot", "Give the conversation as it is a name")->fallthrough();
  CLI::App* restore =
      sessions_app->add_subcommand("restore", "Go on from a snapshot, or from any event")->fallthrough();
  CLI::App* to_file = sessions_app->add_subcommand("export", "Write a session into a file")->fallthrough();
  CLI::App* from_file = sessions_app->add_subcommand("import", "Make a session from a file")->fallthrough();
  for (CLI::App* action : {show, cancel, remove, fork, snapshot, restore, to_file}) {
    action->add_option("ID", sessions.session_id, "The session; the first characters of its id will do")
        ->required()
        ->check(IsText(256));
  }
  snapshot->add_option("NAME", sessions.name, "Its name")->required()->check(IsText(64));
  CLI::Option* restored = restore->add_option("NAME", sessions.name, "The snapshot")->check(IsText(64));
  const CLI::Range any_event(int64_t{1}, int64_t{1} << 40);
  fork->add_option("--at", sessions.at,
                   "The last event that it has, as `sessions show` numbers them; default: the newest")
      ->check(any_event);
  restore->add_option("--at", sessions.at, "The event to go back to, as `sessions show` numbers them")
      ->check(any_event)
      ->excludes(restored);
  for (CLI::App* action : {to_file, from_file}) {
    action->add_option("FILE", sessions.file, "The file; - is standard output or input")
        ->required()
        ->check(IsText(4096));
  }
  to_file->add_flag("--force", sessions.force, "Replace the file if it exists");
  for (CLI::App* action : {list, show, cancel, remove, fork, snapshot, restore, to_file, from_file})
    action->add_flag("--json", sessions.json, "Print JSON lines");

  QuotaStatusCommand status;
  QuotaCheckCommand check;
  std::string check_wait = "0";
  CLI::App* quota_app = app.add_subcommand("quota", "Look at limits and headroom")->fallthrough();
  quota_app->require_subcommand(1);
  CLI::App* status_app = quota_app->add_subcommand("status", "Upstreams, limits and queues")->fallthrough();
  status_app->add_flag("--watch", status.watch, "Go on, as they change");
  status_app->add_flag("--json", status.json, "Print JSON lines");
  CLI::App* check_app = quota_app->add_subcommand("check", "Would a call of this size fit?")->fallthrough();
  check_app->add_option("--model", check.model, "Model")->envname("HOLDFAST_MODEL")->required()->check(IsText(256));
  check_app->add_option("--tokens", check.tokens, "What the provider would charge, output cap included")
      ->required()
      ->check(IsTokens());
  check_app->add_option("--max-wait", check_wait, "A wait up to this counts as fitting")
      ->check(IsDuration())
      ->capture_default_str();
  check_app->add_flag("--json", check.json, "Print a JSON object");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, out, err);
    return code == 0 ? kExitDone : kExitUsage;
  }

  line.services.agent = ParseAddress(agent).value_or(Address{});
  line.services.quota = ParseAddress(quota).value_or(Address{});
  if (const char* token = std::getenv("HOLDFAST_TOKEN")) line.services.token = token;
  if (!IsHeaderText(line.services.token)) {
    err << "HOLDFAST_TOKEN holds white space or other characters that a token cannot have; check how it was set\n";
    return kExitUsage;
  }
  if (exec_app->parsed()) {
    exec.turn = Finished(exec.turn, exec_raw);
    line.command = exec;
  } else if (chat_app->parsed()) {
    line.command = ChatCommand{Finished(chat.turn, chat_raw)};
  } else if (sessions_app->parsed()) {
    if (show->parsed()) sessions.action = SessionsCommand::Action::kShow;
    if (cancel->parsed()) sessions.action = SessionsCommand::Action::kCancel;
    if (remove->parsed()) sessions.action = SessionsCommand::Action::kDelete;
    if (fork->parsed()) sessions.action = SessionsCommand::Action::kFork;
    if (snapshot->parsed()) sessions.action = SessionsCommand::Action::kSnapshot;
    if (restore->parsed()) sessions.action = SessionsCommand::Action::kRestore;
    if (to_file->parsed()) sessions.action = SessionsCommand::Action::kExport;
    if (from_file->parsed()) sessions.action = SessionsCommand::Action::kImport;
    if (restore->parsed() && sessions.name.empty() && sessions.at == 0) {
      err << "restore: name a snapshot, or an event with --at\n";
      return kExitUsage;
    }
    line.command = sessions;
  } else if (status_app->parsed()) {
    line.command = status;
  } else {
    check.max_wait = ParseDuration(check_wait).value_or(Duration::zero());
    line.command = check;
  }
  return line;
}

}  // namespace holdfast::cli
