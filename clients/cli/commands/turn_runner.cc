#include "clients/cli/commands/turn_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/cleanup/cleanup.h"
#include "clients/cli/commands/exit_code.h"
#include "common/base/duration_text.h"
#include "common/rpc/status.h"

namespace holdfast::cli {
namespace {

using End = TurnResult::End;

// How often the countdown on a terminal moves, and interrupts are looked for.
constexpr Duration kTick = std::chrono::milliseconds(100);
// How often a client asks whether it may run the tools that another one runs.
constexpr Duration kSeatRetry = std::chrono::milliseconds(250);
constexpr char kWatching[] = "another holdfast runs the tools of this session; here is what it does";

// The server drops watchers that fall behind; they continue from their cursor.
bool WasCutOff(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && DetailsOf(status).empty();
}

agent::v1::CancelTurnRequest CancelRequest(const std::string& session_id, const std::string& turn_id) {
  agent::v1::CancelTurnRequest request;
  request.set_session_id(session_id);
  request.set_turn_id(turn_id);
  return request;
}

}  // namespace

TurnResult TurnRunner::Run(const agent::v1::SubmitTurnRequest& request, Duration max_outage) {
  Link link(kPatience, reporter_);
  agent::v1::SubmitTurnResponse response;
  const grpc::Status status = client_.SubmitTurn(request, &response, &link);
  if (!status.ok()) {
    // It may have arrived all the same.
    if (interrupts_.pending()) {
      agent::v1::CancelTurnRequest cancel;
      cancel.set_session_id(request.session_id());
      cancel.set_client_key(request.client_key());
      return Interrupted(cancel);
    }
    std::string message = client_.Explain(status);
    if (status.error_code() == grpc::StatusCode::ABORTED) {
      message = fmt::format(
          "session {0} is busy with another turn; watch it in: holdfast chat --session {0}; or end it with: holdfast "
          "sessions cancel {0}",
          request.session_id());
    }
    return Failed(End::kRefused, status, message);
  }
  reporter_.OnTurnStarted(response.turn_id());
  link.outage().set_bound(std::max(max_outage, kPatience));
  TurnView view(response.turn_id(), std::max<int64_t>(0, response.sequence() - 1));
  return Follow(request.session_id(), view, link);
}

TurnResult TurnRunner::Attach(const std::string& session_id, const std::string& turn_id, Duration max_wait) {
  Link link(std::max(max_wait, kPatience), reporter_);
  TurnView view(turn_id, 0);
  reporter_.OnTurnStarted(turn_id);
  return Follow(session_id, view, link);
}

TurnResult TurnRunner::Follow(const std::string& session_id, TurnView& view, Link& link) {
  const absl::Cleanup leave = [this] { tools_.LeaveSeat(); };
  TurnResult result;
  result.end = End::kEnded;
  std::unique_ptr<WatchStream> stream;
  while (!view.ended()) {
    // Nobody reads: leave, and let the turn go on at the server.
    if (reporter_.Broken()) return {.end = End::kLost, .exit_code = kExitFailed, .answer = {}};
    if (interrupts_.pending()) return Interrupted(CancelRequest(session_id, view.turn_id()));
    if (!SeeToTools(session_id, view, link, &result)) return result;
    if (const auto asked = view.TakeQuestion()) tools_.Offer(*asked, view.cursor());
    if (stream == nullptr) stream = client_.Watch(session_id, view.cursor());
    agent::v1::WatchEvent event;
    switch (stream->Pop(kTick, &event)) {
      case WatchStream::Next::kNothingYet:
        reporter_.OnIdle();
        break;
      case WatchStream::Next::kEvent:
        link.Holds();
        Tell(view.Fold(event), &result);
        if (event.has_cursor_expired()) stream.reset();
        if (event.has_caught_up() && std::exchange(mended_, false)) LookForTurn(session_id, view, &result);
        break;
      case WatchStream::Next::kEnded: {
        const grpc::Status status = stream->status();
        stream.reset();
        if (!Mend(status, view, link, &result)) return result;
        break;
      }
    }
  }
  if (result.exit_code == kExitDone) result.answer = view.answer();
  return result;
}

bool TurnRunner::SeeToTools(const std::string& session_id, TurnView& view, Link& link, TurnResult* result) {
  for (auto call = view.OpenToolCall(); call && !elsewhere_; call = view.OpenToolCall()) {
    if (interrupts_.pending() || (next_seat_ && BootClock::now() < *next_seat_)) return true;
    const Seat seat = tools_.TakeSeat(link);
    if (interrupts_.pending()) return true;
    const bool mine = seat.kind == Seat::Kind::kMine;
    if (seat.kind == Seat::Kind::kFailed) {
      *result = Failed(IsLinkFailure(seat.status) ? End::kLost : End::kEnded, seat.status,
                       IsLinkFailure(seat.status) ? client_.Explain(seat.status)
                                                  : "the tools cannot run here: " + client_.Explain(seat.status));
      return false;
    }
    if (seat.kind == Seat::Kind::kElsewhere) reporter_.Note(seat.status.error_message());
    if (seat.kind == Seat::Kind::kTaken && !watching_) reporter_.Note(kWatching);
    watching_ = !mine;
    if (announced_.insert(call->call_id()).second) reporter_.OnToolStarted(*call);
    elsewhere_ = seat.kind == Seat::Kind::kElsewhere;
    next_seat_.reset();
    if (!mine) {
      next_seat_ = BootClock::now() + kSeatRetry;
      return true;
    }
    view.TakeToolCall(call->call_id());
    if (!RunTool(session_id, *call, view, link, result)) return false;
  }
  return true;
}

bool TurnRunner::RunTool(const std::string& session_id, const quota::v1::ToolCall& call, TurnView& view, Link& link,
                         TurnResult* result) {
  const absl::StatusOr<ToolOutcome> outcome = tools_.Run(call, view.turn_id());
  if (interrupts_.pending()) return true;  // the caller sees to it
  if (absl::IsAborted(outcome.status())) {
    tools_.LeaveSeat();
    view.PutBack(call.call_id());
    next_seat_ = BootClock::now() + kSeatRetry;
    return true;
  }
  const agent::v1::CancelTurnRequest cancel = CancelRequest(session_id, view.turn_id());
  if (!outcome.ok()) {
    client_.CancelTurn(cancel);
    const std::string message(outcome.status().message());
    *result = Failed(End::kEnded, grpc::Status(grpc::StatusCode::INTERNAL, message),
                     "the journal of tool calls failed, so the turn was cancelled: " + message);
    return false;
  }
  agent::v1::SubmitToolResultRequest request;
  request.set_session_id(session_id);
  request.set_call_id(call.call_id());
  request.set_output(outcome->output);
  request.set_is_error(outcome->is_error);
  request.set_lease_generation(tools_.lease_generation());
  request.set_client_key(RandomKey());
  agent::v1::SubmitToolResultResponse response;
  const grpc::Status status = client_.SubmitToolResult(request, &response, &link);
  if (status.ok() && !response.accepted()) LookForTurn(session_id, view, result);
  if (status.ok() || interrupts_.pending()) return true;
  if (status.error_code() == grpc::StatusCode::ABORTED) {
    // The lease has moved; who has it finds the result in the journal that we let go.
    tools_.LeaveSeat();
    view.PutBack(call.call_id());
    return true;
  }
  if (IsLinkFailure(status)) {
    *result = Failed(End::kLost, status, client_.Explain(status));
  } else {
    client_.CancelTurn(cancel);
    *result = Failed(End::kEnded, status,
                     fmt::format("the result of {} was not accepted, so the turn was cancelled: {}", call.name(),
                                 client_.Explain(status)));
  }
  return false;
}

bool TurnRunner::Mend(const grpc::Status& status, TurnView& view, Link& link, TurnResult* result) {
  view.OnStreamBroken();
  mended_ = true;
  if (!status.ok() && !IsLinkFailure(status) && !WasCutOff(status)) {
    *result = Failed(End::kLost, status, "watching the turn failed: " + client_.Explain(status));
    return false;
  }
  if (!link.MayRetry(status)) {
    const std::string message = status.ok() ? "the stream ends at once" : status.error_message();
    const grpc::Status lost(grpc::StatusCode::UNAVAILABLE, message, status.error_details());
    *result = Failed(End::kLost, lost, client_.Explain(lost));
    return false;
  }
  interrupts_.WaitFor(link.outage().Pause());
  reporter_.OnIdle();
  return true;
}

void TurnRunner::LookForTurn(const std::string& session_id, TurnView& view, TurnResult* result) {
  if (view.ended()) return;
  agent::v1::GetSessionRequest request;
  request.set_session_id(session_id);
  request.set_after_sequence(view.cursor());
  request.set_page_size(1);
  agent::v1::GetSessionResponse response;
  // Where that fails the stream breaks too, and it is asked again when that is mended.
  if (!client_.GetSession(request, &response, nullptr).ok()) return;
  const agent::v1::Session& session = response.session();
  // Events after the cursor are still to come: they tell.
  if (session.last_sequence() != view.cursor() || session.turn_id() == view.turn_id()) return;
  Tell(view.OnTurnGone(), result);
}

void TurnRunner::Tell(const std::vector<TurnChange>& changes, TurnResult* result) {
  for (const TurnChange& change : changes) {
    reporter_.OnChange(change);
    if (std::holds_alternative<TurnDone>(change)) result->exit_code = kExitDone;
    if (const auto* broke = std::get_if<TurnBroke>(&change)) result->exit_code = ExitCodeFor(broke->failure);
  }
}

TurnResult TurnRunner::Interrupted(const agent::v1::CancelTurnRequest& cancel) {
  const grpc::Status status = client_.CancelTurn(cancel);
  reporter_.OnTrouble(grpc::StatusCode::CANCELLED,
                      status.ok() ? "interrupted" : "interrupted; the turn may go on: " + client_.Explain(status));
  return {.end = End::kInterrupted, .exit_code = kExitInterrupted, .answer = {}};
}

TurnResult TurnRunner::Failed(End end, const grpc::Status& status, const std::string& message) {
  reporter_.OnTrouble(status.error_code(), message);
  return {.end = end, .exit_code = ExitCodeFor(status), .answer = {}};
}

}  // namespace holdfast::cli
