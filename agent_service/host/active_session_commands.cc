// What clients ask of a session, but for its tools' lease.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/host/active_session.h"
#include "agent_service/host/log_events.h"
#include "agent_service/session/said_content.h"

namespace holdfast::agent {
namespace {

absl::Status OtherContent(const std::string& client_key, const std::string& of) {
  return absl::AlreadyExistsError(
      fmt::format("client_key: {} was used before, for {}; send the same again, or use a new key", client_key, of));
}

// The request asks for what TurnStarted would say.
size_t TurnContent(const v1::SubmitTurnRequest& request, const std::string& model) {
  v1::TurnStarted asked;
  *asked.mutable_input() = request.input();
  asked.set_instructions(request.instructions());
  asked.set_model(model);
  return ContentOf(asked);
}

size_t ResultContent(const v1::SubmitToolResultRequest& request) {
  quota::v1::ToolResult result;
  result.set_output(request.output());
  result.set_is_error(request.is_error());
  return ContentOf(result);
}

}  // namespace

void ActiveSession::SubmitTurn(v1::SubmitTurnRequest request, Reply<v1::SubmitTurnResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    const std::string model = request.model().empty() ? state_.model() : request.model();
    if (const v1::SubmitTurnResponse* known = state_.FindTurn(request.client_key())) {
      if (state_.TurnSaid(request.client_key(), TurnContent(request, model))) return reply(*known);
      return reply(OtherContent(request.client_key(),
                                fmt::format("turn {} with other input, instructions or model", known->turn_id())));
    }
    if (state_.turn() != nullptr) {
      return reply(absl::AbortedError(fmt::format("session {} is busy with turn {}; wait for it, or cancel it",
                                                  session_id_, state_.turn()->started.turn_id())));
    }
    if (model.empty()) return reply(absl::InvalidArgumentError("model: the session has none; name one"));

    if (!request.has_place() && state_.lease().held() && !LeaseExpired())
      *request.mutable_place() = state_.lease().granted().place();

    v1::SubmitTurnResponse response;
    response.set_sequence(state_.last_sequence() + 1);
    const Duration max_wait = request.attended() ? services_.default_attended_max_wait : services_.default_max_wait;
    v1::SessionEvent event = TurnStartedEvent(std::move(request), response.sequence(), model, max_wait);
    response.set_turn_id(event.turn_started().turn_id());
    Commit(std::move(event), [response = std::move(response), reply = std::move(reply)](absl::Status status) mutable {
      if (status.ok()) {
        reply(std::move(response));
      } else {
        reply(status);
      }
    });
  });
}

void ActiveSession::SubmitToolResult(v1::SubmitToolResultRequest request, Reply<v1::SubmitToolResultResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::SubmitToolResultResponse response;
    const TurnState* turn = state_.turn();
    if (turn != nullptr && !request.client_key().empty()) {
      const auto known = turn->results_by_call.find(request.call_id());
      if (known != turn->results_by_call.end() && known->second.client_key == request.client_key()) {
        if (known->second.content != ResultContent(request))
          return reply(OtherContent(request.client_key(), "another result of call " + request.call_id()));
        response.set_accepted(true);
        return reply(response);
      }
    }
    const bool awaited = turn != nullptr && std::any_of(turn->open_tools.begin(), turn->open_tools.end(),
                                                        [&](const quota::v1::ToolCall& call) {
                                                          return call.call_id() == request.call_id();
                                                        });
    if (!awaited) return reply(response);
    if (absl::Status lease = CheckResultLease(request.lease_generation()); !lease.ok()) return reply(lease);
    Commit(ToolResultEvent(*turn, std::move(request)),
           [response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             response.set_accepted(true);
             reply(response);
           });
  });
}

void ActiveSession::CancelTurn(v1::CancelTurnRequest request, Reply<v1::CancelTurnResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::CancelTurnResponse response;
    const TurnState* turn = state_.turn();
    const auto meant = [](const std::string& named, const std::string& is) { return named.empty() || named == is; };
    if (turn == nullptr || !meant(request.turn_id(), turn->started.turn_id()) ||
        !meant(request.client_key(), turn->started.client_key()))
      return reply(response);
    // The call goes on until the end of the turn is durable: if it cannot be written, nothing is lost.
    Commit(TurnFailedEvent(*turn, {grpc::StatusCode::CANCELLED, "cancelled"}),
           [this, response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             AbandonCall();
             response.set_cancelled(true);
             reply(response);
           });
  });
}

void ActiveSession::Snapshot(v1::SnapshotSessionRequest request, Reply<v1::SnapshotSessionResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::SnapshotSessionResponse response;
    response.set_sequence(state_.last_sequence());
    if (const std::optional<int64_t> known = state_.FindSnapshot(request.name())) {
      if (!state_.IsPresent(*known)) {
        return reply(absl::AlreadyExistsError(fmt::format(
            "name: snapshot {} is of event {}, and the conversation went on; choose another", request.name(), *known)));
      }
      response.set_sequence(*known);
      return reply(response);
    }
    Commit(SnapshotEvent(request.name(), response.sequence(), false),
           [response, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             reply(response);
           });
  });
}

void ActiveSession::Restore(v1::RestoreSessionRequest request, Reply<v1::RestoreSessionResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    std::optional<int64_t> target = request.sequence();
    if (request.has_name()) target = state_.FindSnapshot(request.name());
    if (const v1::RestoreSessionResponse* known = state_.FindRestore(request.client_key())) {
      if (target == known->restored_to()) return reply(*known);
      return reply(OtherContent(request.client_key(), fmt::format("restoring to event {}", known->restored_to())));
    }
    if (state_.turn() != nullptr) {
      return reply(absl::AbortedError(fmt::format("session {} is busy with turn {}; wait for it, or cancel it",
                                                  session_id_, state_.turn()->started.turn_id())));
    }
    if (request.has_name()) {
      if (!target) {
        return reply(absl::NotFoundError(fmt::format("name: no snapshot {} in session {}; `sessions show` lists them",
                                                     request.name(), session_id_)));
      }
    } else {
      if (*target > state_.last_sequence()) {
        return reply(absl::InvalidArgumentError(
            fmt::format("sequence: {} is beyond the last event, {}", *target, state_.last_sequence())));
      }
    }
    if (!state_.restore_work().Admits(*target)) {
      return reply(absl::FailedPreconditionError(fmt::format(
          "session {} was restored so often that its restorings would copy more than {} bytes; fork it at event {} "
          "(`sessions fork {} --at {}`) and go on there. Restorings up to that event count in the fork too",
          session_id_, RestoreWork::kMost, *target, session_id_, *target)));
    }
    v1::RestoreSessionResponse response;
    response.set_sequence(state_.last_sequence() + 1);
    response.set_restored_to(*target);
    response.set_left_at(state_.last_sequence());
    Commit(RestoredEvent(request, *target), [response, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return reply(status);
      reply(response);
    });
  });
}

}  // namespace holdfast::agent
