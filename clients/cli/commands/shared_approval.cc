#include "clients/cli/commands/shared_approval.h"

#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/tool_line.h"
#include "clients/cli/terminal/sanitize.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

using Kind = ApprovalAnswer::Kind;

// As the proto bounds it.
constexpr size_t kMostQuestion = 256 * 1024;
constexpr size_t kMostReason = 4096;
constexpr Duration kPause = std::chrono::milliseconds(200);

agent::v1::ApprovalAnswer ToProto(Kind kind) {
  if (kind == Kind::kOnce) return agent::v1::APPROVAL_ANSWER_ONCE;
  return kind == Kind::kForSession ? agent::v1::APPROVAL_ANSWER_SESSION : agent::v1::APPROVAL_ANSWER_DENY;
}

ApprovalAnswer FromProto(agent::v1::ApprovalAnswer answer, const std::string& reason) {
  if (answer == agent::v1::APPROVAL_ANSWER_ONCE) return {.kind = Kind::kOnce, .reason = {}};
  if (answer == agent::v1::APPROVAL_ANSWER_SESSION) return {.kind = Kind::kForSession, .reason = {}};
  return {.kind = Kind::kDeny, .reason = reason};
}

}  // namespace

SharedApproval::SharedApproval(AgentClient& client, std::string session_id, std::string by, ApprovalPrompt prompt,
                               Screen& screen, Interrupts& interrupts)
    : client_(client),
      session_id_(std::move(session_id)),
      by_(std::move(by)),
      prompt_(std::move(prompt)),
      screen_(screen),
      interrupts_(interrupts) {}

ApprovalAnswer SharedApproval::Ask(const ApprovalQuestion& question, int64_t generation) {
  const std::string text = QuestionText(question);
  if (generation == 0)  // a server without leases
    return prompt_(text, nullptr).value_or(ApprovalAnswer{.kind = Kind::kNone, .reason = {}});
  agent::v1::RequestApprovalRequest request;
  request.set_session_id(session_id_);
  request.set_generation(generation);
  request.set_approval_id(question.id);
  request.set_call_id(question.call_id);
  request.set_question(KeepHeadAndTail(RepairUtf8(text), kMostQuestion));
  agent::v1::Approval approval;
  for (;;) {
    const grpc::Status status = client_.RequestApproval(request, &approval);
    if (status.ok()) break;
    if (!IsLinkFailure(status)) return {.kind = Kind::kNone, .reason = {}};
    if (interrupts_.WaitFor(kPause)) return {.kind = Kind::kDeny, .reason = "interrupted"};
  }
  if (approval.answer() != agent::v1::APPROVAL_ANSWER_UNSPECIFIED)
    return FromProto(approval.answer(), approval.reason());
  return AwaitAnswer(question.id, text, approval.sequence())
      .value_or(ApprovalAnswer{.kind = Kind::kNone, .reason = {}});
}

void SharedApproval::Offer(const agent::v1::ApprovalRequested& asked, int64_t sequence) {
  AwaitAnswer(asked.approval_id(), Sanitize(asked.question()), sequence);
}

std::optional<ApprovalAnswer> SharedApproval::AwaitAnswer(const std::string& approval_id, const std::string& question,
                                                          int64_t sequence) {
  std::unique_ptr<WatchStream> stream;
  std::optional<ApprovalAnswer> others;
  bool ended = false;
  const auto stop = [&] {
    if (stream == nullptr) stream = client_.Watch(session_id_, sequence);
    agent::v1::WatchEvent event;
    while (!others && !ended) {
      const WatchStream::Next next = stream->Pop(Duration::zero(), &event);
      if (next == WatchStream::Next::kNothingYet) break;
      if (next == WatchStream::Next::kEnded) {
        const grpc::Status status = stream->status();
        stream.reset();
        ended = !status.ok() && !IsLinkFailure(status);
        break;
      }
      if (event.event().sequence() > sequence) sequence = event.event().sequence();
      ended = event.event().has_turn_completed() || event.event().has_turn_failed();
      if (event.event().approval_decided().approval_id() != approval_id) continue;
      const auto& decided = event.event().approval_decided();
      others = FromProto(decided.answer(), decided.reason());
      screen_.Err(SanitizeLine(ApprovalLine(decided), 300));
    }
    return others || ended;
  };
  const std::optional<ApprovalAnswer> here = prompt_(question, stop);
  if (others || !here) return others;
  if (interrupts_.pending()) return here;  // the turn is about to be cancelled; others need no answer
  return Decide(approval_id, *here);
}

std::optional<ApprovalAnswer> SharedApproval::Decide(const std::string& approval_id, const ApprovalAnswer& answer) {
  agent::v1::DecideApprovalRequest request;
  request.set_session_id(session_id_);
  request.set_approval_id(approval_id);
  request.set_answer(ToProto(answer.kind));
  request.set_reason(std::string(TruncateUtf8(RepairUtf8(answer.reason), kMostReason)));
  request.set_by(by_);
  agent::v1::Approval approval;
  for (;;) {
    const grpc::Status status = client_.DecideApproval(request, &approval);
    if (status.ok()) break;
    if (!IsLinkFailure(status)) return std::nullopt;
    if (interrupts_.WaitFor(kPause)) return ApprovalAnswer{.kind = Kind::kDeny, .reason = "interrupted"};
  }
  if (!approval.accepted() && approval.by() != by_) {
    agent::v1::ApprovalDecided decided;
    decided.set_answer(approval.answer());
    decided.set_reason(approval.reason());
    decided.set_by(approval.by());
    screen_.Err("somebody was faster: " + SanitizeLine(ApprovalLine(decided), 300));
  }
  return FromProto(approval.answer(), approval.reason());
}

}  // namespace holdfast::cli
