#include "clients/cli/commands/chat.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "clients/cli/commands/conversation.h"
#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/session_text.h"
#include "clients/cli/commands/text_reporter.h"
#include "clients/cli/terminal/line_editor.h"

namespace holdfast::cli {
namespace {

constexpr char kHelp[] =
    "Every line is a turn. Ctrl-C during a turn cancels it and keeps the session; at the prompt it leaves.\n"
    "/status    this session, its model and its tokens\n"
    "/sessions  the sessions of this workspace\n"
    "/new       the next line begins a new session\n"
    "/help      this\n"
    "/quit      leave; the session stays";
constexpr int kMostSessions = 20;

class Chat {
 public:
  Chat(const Context& context, const ChatCommand& command)
      : context_(context),
        reporter_(context.screen, TextReporter::Answer::kStream),
        client_(context.services, context.interrupts),
        conversation_(client_, reporter_, context.screen, context.interrupts, command.turn) {}

  int Run() {
    if (const int code = conversation_.Open(); code != kExitDone) return code;
    if (const auto result = conversation_.FollowRunning(); result && !AfterTurn(*result))
      return Leave(result->exit_code);
    const std::unique_ptr<LineReader> reader = MakeLineReader(context_.interrupts);
    for (;;) {
      std::string line;
      context_.screen.ClearStatus();
      context_.screen.EndOutLine();
      if (reader->Read("> ", &line) != LineReader::Result::kLine) {
        return Leave(context_.interrupts.wants_exit() ? kExitInterrupted : last_code_);
      }
      const size_t begin = line.find_first_not_of(" \t");
      if (begin == std::string::npos) continue;
      if (line[begin] == '/') {
        const std::string name = line.substr(begin, line.find_first_of(" \t", begin) - begin);
        if (name == "/quit" || name == "/exit") return Leave(last_code_);
        Command(name);
        continue;
      }
      const TurnResult result = conversation_.Say(line);
      if (!AfterTurn(result)) return Leave(result.exit_code);
    }
  }

 private:
  // False: leave.
  bool AfterTurn(const TurnResult& result) {
    context_.screen.ClearStatus();
    if (context_.screen.out_failed() || context_.interrupts.wants_exit()) return false;
    context_.interrupts.Reset();
    // A turn that its user has interrupted did not fail.
    last_code_ = result.end == TurnResult::End::kInterrupted ? kExitDone : result.exit_code;
    if (result.end == TurnResult::End::kLost) {
      context_.screen.Err("the turn may go on at the server; /quit and resume to see it");
    }
    return true;
  }

  int Leave(int code) {
    if (!conversation_.session_id().empty() && !context_.screen.out_failed()) {
      context_.screen.Err(fmt::format("resume with: holdfast chat --session {}", conversation_.session_id()));
    }
    return code;
  }

  void Command(const std::string& name) {
    if (name == "/help") {
      context_.screen.Err(kHelp);
    } else if (name == "/status") {
      Status();
    } else if (name == "/sessions") {
      Sessions();
    } else if (name == "/new") {
      conversation_.StartAnew();
      context_.screen.Err("the next line begins a new session");
    } else {
      context_.screen.Err(fmt::format("{} is no command; /help lists them", name));
    }
  }

  void Status() {
    if (conversation_.session_id().empty()) {
      context_.screen.Err(fmt::format("no session yet · {} · agent_service at {}", conversation_.workspace(),
                                      context_.services.agent.ToString()));
      return;
    }
    agent::v1::GetSessionRequest request;
    request.set_session_id(conversation_.session_id());
    request.set_page_size(1);
    agent::v1::GetSessionResponse response;
    const grpc::Status status = client_.GetSession(request, &response, nullptr);
    context_.screen.Err(status.ok() ? DescribeSession(response.session()) : client_.Explain(status));
    if (!status.ok()) context_.interrupts.Reset();
  }

  void Sessions() {
    int shown = 0;
    const grpc::Status status = client_.VisitSessions(
        [&](const agent::v1::Session& session) {
          if (session.workspace() != conversation_.workspace()) return true;
          context_.screen.Err(SessionLine(session));
          return ++shown < kMostSessions;
        },
        nullptr);
    if (!status.ok()) context_.screen.Err(client_.Explain(status));
    if (!status.ok()) context_.interrupts.Reset();
    if (status.ok() && shown == 0) context_.screen.Err("none");
  }

  const Context& context_;
  TextReporter reporter_;
  AgentClient client_;
  Conversation conversation_;
  int last_code_ = kExitDone;  // of the last turn
};

}  // namespace

int RunChat(const Context& context, const ChatCommand& command) { return Chat(context, command).Run(); }

}  // namespace holdfast::cli
