#include "clients/cli/commands/sessions.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <string>

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/session_copies.h"
#include "clients/cli/commands/session_lookup.h"
#include "clients/cli/commands/session_text.h"
#include "clients/cli/terminal/json_lines.h"
#include "google/protobuf/util/json_util.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr int kPageSize = 1000;

int List(const Context& context, AgentClient& client, bool as_json) {
  return Report(context, client,
                client.VisitSessions(
                    [&](const agent::v1::Session& session) {
                      if (as_json) {
                        WriteJsonLine(context.screen, SessionJson(session));
                      } else {
                        context.screen.Out(SanitizeLine(SessionLine(session), std::string::npos) + "\n");
                      }
                      return !context.screen.out_failed();
                    },
                    nullptr));
}

void ShowEvent(const Context& context, const agent::v1::SessionEvent& event, bool as_json) {
  if (!as_json) {
    const std::string text = NumberedEvent(event);
    if (!text.empty()) context.screen.Out(Sanitize(text) + "\n");
    return;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(event, &text, options).ok()) return;
  json::error_code error;
  json::value value = json::parse(text, error);
  if (!error) WriteJsonLine(context.screen, {{"type", "event"}, {"event", std::move(value)}});
}

int Show(const Context& context, AgentClient& client, const SessionsCommand& command) {
  agent::v1::GetSessionRequest request;
  request.set_session_id(command.session_id);
  request.set_page_size(kPageSize);
  bool first = true;
  for (;;) {
    agent::v1::GetSessionResponse response;
    const grpc::Status status = client.GetSession(request, &response, nullptr);
    if (!status.ok()) return Report(context, client, status);
    if (first && command.json) {
      json::object object = SessionJson(response.session());
      object["type"] = "session";
      WriteJsonLine(context.screen, object);
    } else if (first) {
      context.screen.Out(Sanitize(DescribeSession(response.session())) + "\n\n");
    }
    first = false;
    for (const auto& event : response.events()) ShowEvent(context, event, command.json);
    if (!response.more() || response.events().empty() || context.screen.out_failed())
      return Report(context, client, status);
    request.set_after_sequence(response.events().rbegin()->sequence());
  }
}

int Cancel(const Context& context, AgentClient& client, const SessionsCommand& command) {
  agent::v1::CancelTurnRequest request;
  request.set_session_id(command.session_id);
  agent::v1::CancelTurnResponse response;
  const grpc::Status status = client.CancelTurn(request, &response);
  if (!status.ok()) return Report(context, client, status);
  if (command.json) {
    WriteJsonLine(context.screen, {{"session_id", command.session_id}, {"cancelled", response.cancelled()}});
  } else {
    context.screen.Err(response.cancelled() ? "cancelled the turn of " + command.session_id
                                            : "no turn runs in " + command.session_id);
  }
  return Report(context, client, status);
}

// What is done to one session in place of another cannot be taken back, or costs somebody a turn.
bool Destroys(SessionsCommand::Action action) {
  switch (action) {
    case SessionsCommand::Action::kCancel:
    case SessionsCommand::Action::kDelete:
    case SessionsCommand::Action::kRestore:
      return true;
    default:
      return false;
  }
}

int Run(const Context& context, AgentClient& client, const SessionsCommand& command) {
  switch (command.action) {
    case SessionsCommand::Action::kShow:
      return Show(context, client, command);
    case SessionsCommand::Action::kCancel:
      return Cancel(context, client, command);
    case SessionsCommand::Action::kDelete: {
      const int code = Report(context, client, client.DeleteSession(command.session_id, nullptr));
      if (code == kExitDone && command.json) {
        WriteJsonLine(context.screen, {{"session_id", command.session_id}, {"deleted", true}});
      } else if (code == kExitDone) {
        context.screen.Err("deleted " + command.session_id);
      }
      return code;
    }
    case SessionsCommand::Action::kFork:
    case SessionsCommand::Action::kSnapshot:
    case SessionsCommand::Action::kRestore:
    case SessionsCommand::Action::kExport:
    case SessionsCommand::Action::kImport:
      return RunCopies(context, client, command);
    default:
      return List(context, client, command.json);
  }
}

}  // namespace

int RunSessions(const Context& context, const SessionsCommand& command) {
  AgentClient client(context.services, context.interrupts);
  if (command.session_id.empty()) return Run(context, client, command);
  SessionsCommand meant = command;
  const grpc::Status status = LookUpSession(client, command.session_id, nullptr, &meant.session_id);
  if (!status.ok()) return Report(context, client, status);
  if (Destroys(command.action) && meant.session_id != command.session_id) {
    context.screen.Err(SanitizeLine(fmt::format("this needs the whole id, and {} is the beginning of one: {}",
                                                command.session_id, meant.session_id),
                                    std::string::npos));
    return kExitFailed;
  }
  return Run(context, client, meant);
}

}  // namespace holdfast::cli
