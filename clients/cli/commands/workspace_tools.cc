#include "clients/cli/commands/workspace_tools.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "clients/cli/commands/approval_prompt.h"
#include "clients/cli/tools/journal_host.h"
#include "clients/cli/tools/runner.h"
#include "common/base/utf8.h"
#include "common/rpc/status.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMostName = 128;

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return std::string(TruncateUtf8(RepairUtf8(name.data()), kMostName));
}

// Who answers here, for people.
std::string User(const std::string& host_name) {
  const char* user = std::getenv("USER");
  const std::string name(TruncateUtf8(RepairUtf8(user != nullptr && *user != '\0' ? user : "somebody"), kMostName / 2));
  return fmt::format("{} on {} (process {})", name, host_name.empty() ? "this machine" : host_name, ::getpid());
}

}  // namespace

absl::StatusOr<std::string> JournalFolder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/holdfast/journal";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.local/state/holdfast/journal";
  return absl::FailedPreconditionError("set HOME or XDG_STATE_HOME: the journal of tool calls is kept below it");
}

absl::Status CheckJournalFolder() {
  const absl::StatusOr<std::string> folder = JournalFolder();
  if (!folder.ok()) return folder.status();
  std::filesystem::path there = std::filesystem::path(*folder).lexically_normal();
  std::error_code error;
  while (!std::filesystem::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  int cause = 0;
  if (!std::filesystem::is_directory(there, error)) {
    cause = ENOTDIR;
  } else if (::access(there.c_str(), W_OK | X_OK) != 0) {
    cause = errno;
  }
  if (cause == 0) return absl::OkStatus();
  return Journal::WithRemedy(
      absl::ErrnoToStatus(cause, fmt::format("journal folder {}: cannot be made in {}", *folder, there.string())));
}

absl::StatusOr<std::unique_ptr<WorkspaceTools>> WorkspaceTools::Open(AgentClient& client, const Workspace& workspace,
                                                                     const std::string& session_id, ApprovalMode mode,
                                                                     Screen& screen, Interrupts& interrupts) {
  absl::StatusOr<std::string> folder = JournalFolder();
  if (!folder.ok()) return folder.status();
  // A journal that cannot be written is to be known before the turn; one that another client has is no trouble.
  const absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(*folder, session_id);
  if (!journal.ok() && !absl::IsFailedPrecondition(journal.status())) return journal.status();
  const absl::StatusOr<std::string> host = JournalHost(*folder);
  if (!host.ok()) return Journal::WithRemedy(host.status());
  agent::v1::ToolPlace place;
  place.set_host(*host);
  place.set_host_name(HostName());
  place.set_workspace(RepairUtf8(workspace.root()));
  return std::unique_ptr<WorkspaceTools>(
      new WorkspaceTools(client, workspace, session_id, *folder, std::move(place), mode, screen, interrupts));
}

WorkspaceTools::WorkspaceTools(AgentClient& client, const Workspace& workspace, std::string session_id,
                               std::string folder, agent::v1::ToolPlace place, ApprovalMode mode, Screen& screen,
                               Interrupts& interrupts)
    : client_(client),
      interrupts_(interrupts),
      session_id_(std::move(session_id)),
      folder_(std::move(folder)),
      place_(std::move(place)),
      holder_(RandomKey()),
      approval_([&]() -> std::unique_ptr<SharedApproval> {
        ApprovalPrompt prompt = MakeApprovalPrompt(screen, interrupts);
        if (!prompt) return nullptr;
        return std::make_unique<SharedApproval>(client, session_id_, User(place_.host_name()), std::move(prompt),
                                                screen, interrupts);
      }()),
      executor_(
          mode, nullptr,
          {.workspace = &workspace,
           .hidden_variables = {"HOLDFAST_TOKEN"},
           .cancel = &cancel_,
           // This very program, whatever has its name by now.
           .runner = {"/proc/self/exe", kRunnerArgument},
           .notice = [&screen](const std::string& text) { screen.ErrDim(text); }},
          approval_ == nullptr ? ToolExecutor::Ask() : [this](const ApprovalQuestion& question) {
            return approval_->Ask(question, lease_generation());
          }) {}

Seat WorkspaceTools::TakeSeat(Link& link) {
  if (journal_ != nullptr && lease_ == nullptr) return {.kind = Seat::Kind::kMine, .status = {}};
  if (journal_ != nullptr) {
    agent::v1::RenewLeaseRequest request;
    request.set_session_id(session_id_);
    request.set_generation(lease_->generation());
    agent::v1::Lease lease;
    const grpc::Status status =
        lease_->lost() ? grpc::Status(grpc::StatusCode::ABORTED, "") : client_.RenewLease(request, &lease, &link);
    if (status.ok()) return {.kind = Seat::Kind::kMine, .status = status};
    if (status.error_code() != grpc::StatusCode::ABORTED) return {.kind = Seat::Kind::kFailed, .status = status};
    LeaveSeat();
  }
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(folder_, session_id_);
  if (absl::IsFailedPrecondition(journal.status()))
    return {.kind = Seat::Kind::kTaken, .status = ToGrpc(journal.status())};
  if (!journal.ok()) return {.kind = Seat::Kind::kFailed, .status = ToGrpc(journal.status())};
  journal_ = *std::move(journal);
  executor_.set_journal(journal_.get());
  const Seat seat = Acquire(link);
  if (seat.kind != Seat::Kind::kMine) LeaveSeat();
  return seat;
}

Seat WorkspaceTools::Acquire(Link& link) {
  agent::v1::AcquireLeaseRequest request;
  request.set_session_id(session_id_);
  request.set_holder(holder_);
  *request.mutable_place() = place_;
  request.set_supersede(true);
  agent::v1::Lease lease;
  const grpc::Status status = client_.AcquireLease(request, &lease, &link);
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      lease_ = std::make_unique<HeldLease>(client_, session_id_, lease.generation());
      return {.kind = Seat::Kind::kMine, .status = status};
    case grpc::StatusCode::UNIMPLEMENTED:  // an older agent_service: the journal alone has to do
      return {.kind = Seat::Kind::kMine, .status = status};
    case grpc::StatusCode::ABORTED:
      return {.kind = Seat::Kind::kTaken, .status = status};
    case grpc::StatusCode::FAILED_PRECONDITION:
      return {.kind = Seat::Kind::kElsewhere, .status = status};
    default:
      return {.kind = Seat::Kind::kFailed, .status = status};
  }
}

void WorkspaceTools::LeaveSeat() {
  // The journal last: who gets it may take the lease from us at once.
  lease_.reset();
  executor_.set_journal(nullptr);
  journal_.reset();
}

absl::StatusOr<ToolOutcome> WorkspaceTools::Run(const quota::v1::ToolCall& call, const std::string& turn_id) {
  cancel_ = CancelToken();  // an earlier turn's interrupt is over
  interrupts_.ForwardTo(cancel_.fd());
  if (interrupts_.pending()) cancel_.Cancel();
  if (lease_ != nullptr) lease_->CancelWithTurn(turn_id, &cancel_);
  absl::StatusOr<ToolOutcome> outcome = executor_.Execute(call);
  if (lease_ != nullptr) lease_->CancelWithTurn({}, nullptr);
  interrupts_.ForwardTo(-1);
  return outcome;
}

void WorkspaceTools::Offer(const agent::v1::ApprovalRequested& asked, int64_t sequence) {
  if (approval_ != nullptr && (lease_ == nullptr || lease_->generation() != asked.generation()))
    approval_->Offer(asked, sequence);
}

}  // namespace holdfast::cli
