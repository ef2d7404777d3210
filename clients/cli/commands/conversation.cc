#include "clients/cli/commands/conversation.h"

#include <fmt/format.h>

#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/instructions.h"
#include "clients/cli/commands/session_lookup.h"
#include "common/base/utf8.h"
#include "google/protobuf/util/time_util.h"

namespace holdfast::cli {
namespace {

// How long an outage is borne where the user names no wait: what agent_service, too, has as its defaults.
constexpr Duration kMaxWaitWithTerminal = std::chrono::hours(1);
constexpr Duration kMaxWaitAlone = std::chrono::minutes(15);

}  // namespace

Conversation::Conversation(AgentClient& client, TurnReporter& reporter, Screen& screen, Interrupts& interrupts,
                           TurnOptions options)
    : client_(client), reporter_(reporter), screen_(screen), interrupts_(interrupts), options_(std::move(options)) {}

Duration Conversation::MaxWait() const {
  return options_.max_wait.value_or(screen_.has_terminal() ? kMaxWaitWithTerminal : kMaxWaitAlone);
}

int Conversation::Refuse(const grpc::Status& status) {
  if (interrupts_.pending()) {
    reporter_.OnTrouble(grpc::StatusCode::CANCELLED, "interrupted");
    return kExitInterrupted;
  }
  reporter_.OnTrouble(status.error_code(), client_.Explain(status));
  return ExitCodeFor(status);
}

int Conversation::Open() {
  absl::StatusOr<Workspace> workspace = Workspace::Open(options_.folder.empty() ? "." : options_.folder);
  if (!workspace.ok()) {
    reporter_.Note("the workspace cannot be used: " + std::string(workspace.status().message()));
    return kExitFailed;
  }
  workspace_ = *std::move(workspace);
  if (const absl::Status status = CheckJournalFolder(); !status.ok()) {
    reporter_.OnTrouble(grpc::StatusCode::FAILED_PRECONDITION, std::string(status.message()));
    return kExitFailed;
  }
  if (options_.last) return FindLast();
  if (!options_.session_id.empty()) return FindSession();
  return kExitDone;
}

int Conversation::FindSession() {
  agent::v1::GetSessionRequest request;
  Link link(TurnRunner::kPatience, reporter_);
  grpc::Status status = LookUpSession(client_, options_.session_id, &link, request.mutable_session_id());
  if (!status.ok()) return Refuse(status);
  request.set_page_size(1);
  agent::v1::GetSessionResponse response;
  status = client_.GetSession(request, &response, &link);
  if (!status.ok()) return Refuse(status);
  const std::string& recorded = response.session().workspace();
  if (!recorded.empty() && recorded != RepairUtf8(workspace())) {
    reporter_.Note(fmt::format("the session began in {}; its tools run in {} now", recorded, workspace()));
  }
  session_id_ = request.session_id();
  running_turn_ = response.session().turn_id();
  return Adopt();
}

int Conversation::FindLast() {
  Link link(TurnRunner::kPatience, reporter_);
  const std::string here = RepairUtf8(workspace());
  const grpc::Status status = client_.VisitSessions(
      [&](const agent::v1::Session& session) {
        if (session.workspace() != here) return true;
        session_id_ = session.session_id();
        return false;
      },
      &link);
  if (!status.ok()) return Refuse(status);
  if (session_id_.empty()) {
    reporter_.OnTrouble(grpc::StatusCode::NOT_FOUND,
                        fmt::format("{} has no session yet; leave out --last to begin one", workspace()));
    return kExitFailed;
  }
  return Adopt();
}

int Conversation::CreateSession() {
  agent::v1::CreateSessionRequest request;
  request.set_client_key(RandomKey());
  request.set_model(options_.new_model);
  request.set_workspace(RepairUtf8(workspace()));
  agent::v1::Session session;
  Link link(TurnRunner::kPatience, reporter_);
  const grpc::Status status = client_.CreateSession(request, &session, &link);
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT && options_.new_model.empty()) {
    return Refuse({status.error_code(), status.error_message() + "; name one with --model or HOLDFAST_MODEL"});
  }
  if (!status.ok()) return Refuse(status);
  session_id_ = session.session_id();
  return Adopt();
}

int Conversation::Adopt() {
  absl::StatusOr<std::unique_ptr<WorkspaceTools>> tools =
      WorkspaceTools::Open(client_, *workspace_, session_id_, options_.approval, screen_, interrupts_);
  if (!tools.ok()) {
    reporter_.OnTrouble(grpc::StatusCode::FAILED_PRECONDITION, std::string(tools.status().message()));
    return kExitFailed;
  }
  tools_ = *std::move(tools);
  reporter_.OnSession(session_id_);
  return kExitDone;
}

TurnResult Conversation::Say(const std::string& text) {
  if (session_id_.empty()) {
    if (const int code = CreateSession(); code != kExitDone) {
      session_id_.clear();
      return {.end = TurnResult::End::kRefused, .exit_code = code, .answer = {}};
    }
  }
  agent::v1::SubmitTurnRequest request;
  request.set_session_id(session_id_);
  request.set_client_key(RandomKey());
  request.add_input()->set_text(RepairUtf8(text));
  request.set_instructions(
      BuildInstructions(ToString(options_.approval), ReadWorkspaceRules(workspace()), workspace(), DescribeSystem()));
  for (quota::v1::Tool& tool : tools_->Declarations()) *request.add_tools() = std::move(tool);
  request.set_model(options_.model);
  if (const agent::v1::ToolPlace place = tools_->Place(); !place.host().empty()) *request.mutable_place() = place;
  // What nobody asked for is the server's to decide.
  if (options_.max_wait)
    *request.mutable_max_wait() = google::protobuf::util::TimeUtil::NanosecondsToDuration(options_.max_wait->count());
  request.set_attended(screen_.has_terminal());
  return TurnRunner(client_, *tools_, reporter_, interrupts_).Run(request, MaxWait());
}

std::optional<TurnResult> Conversation::FollowRunning() {
  if (running_turn_.empty()) return std::nullopt;
  return TurnRunner(client_, *tools_, reporter_, interrupts_)
      .Attach(session_id_, std::exchange(running_turn_, {}), MaxWait());
}

void Conversation::StartAnew() {
  session_id_.clear();
  running_turn_.clear();
  tools_.reset();
}

}  // namespace holdfast::cli
