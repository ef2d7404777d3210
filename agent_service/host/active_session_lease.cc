// Who runs the session's tools, and what people say to it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/host/active_session.h"
#include "agent_service/host/log_events.h"
#include "common/rpc/status.h"

namespace holdfast::agent {
namespace {

std::string Where(const v1::ToolPlace& place) {
  return fmt::format("{} on {}", place.workspace(), place.host_name().empty() ? place.host() : place.host_name());
}

v1::Approval ApprovalOf(const ToolLease::Approval& known, int64_t sequence) {
  v1::Approval approval;
  approval.set_approval_id(known.requested.approval_id());
  approval.set_sequence(sequence);
  if (known.decided) {
    approval.set_answer(known.decided->answer());
    approval.set_reason(known.decided->reason());
    approval.set_by(known.decided->by());
  }
  return approval;
}

}  // namespace

void ActiveSession::ExtendLease() { lease_end_ = services_.loop.Now() + kLeaseTime; }

v1::Lease ActiveSession::LeaseNow() const {
  v1::Lease lease;
  lease.set_generation(state_.lease().generation());
  lease.set_holder(state_.lease().granted().holder());
  *lease.mutable_place() = state_.lease().granted().place();
  lease.set_seconds(std::max(0.0, ToSeconds(lease_end_ - services_.loop.Now())));
  lease.set_turn_id(state_.turn() == nullptr ? "" : state_.turn()->started.turn_id());
  return lease;
}

absl::Status ActiveSession::CheckLease(int64_t generation) const {
  const ToolLease& lease = state_.lease();
  if (lease.held() && lease.generation() == generation) return absl::OkStatus();
  if (!lease.held())
    return absl::AbortedError(fmt::format("generation: lease {} of the tools was released; acquire it", generation));
  return absl::AbortedError(fmt::format("generation: lease {} of the tools has moved, it is {} now and held for {}",
                                        generation, lease.generation(), Where(lease.granted().place())));
}

absl::Status ActiveSession::CheckResultLease(int64_t generation) const {
  const ToolLease& lease = state_.lease();
  if (generation == 0 && (!lease.held() || LeaseExpired())) return absl::OkStatus();
  // One that was released and not given to another still says who ran the tool.
  if (generation != 0 && generation == lease.generation()) return absl::OkStatus();
  return absl::AbortedError(
      fmt::format("lease_generation: {} is not the lease of the session's tools, which is {} and held for {}; acquire "
                  "it and submit again",
                  generation, lease.generation(), Where(lease.granted().place())));
}

void ActiveSession::KeepLease(Reply<v1::Lease> reply) {
  ExtendLease();
  if (state_.turn() == nullptr || state_.lease().place() != nullptr) return reply(LeaseNow());
  v1::SessionEvent event;
  *event.mutable_tool_lease_granted() = state_.lease().granted();
  Commit(std::move(event), [this, reply = std::move(reply)](absl::Status status) mutable {
    if (!status.ok()) return reply(status);
    reply(LeaseNow());
  });
}

void ActiveSession::AcquireLease(v1::AcquireLeaseRequest request, Reply<v1::Lease> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    const ToolLease& lease = state_.lease();
    switch (JudgeLease(lease, request, LeaseExpired())) {
      case LeaseAnswer::kElsewhere:
        return reply(absl::FailedPreconditionError(fmt::format(
            "place: the tools of the running turn are run in {}; watch it there, or cancel it to go on here",
            Where(*lease.place()))));
      case LeaseAnswer::kHeld:
        return reply(absl::AbortedError(
            fmt::format("another client runs the session's tools, in {}; the lease is free when it leaves",
                        Where(lease.granted().place()))));
      case LeaseAnswer::kSame:
        return KeepLease(std::move(reply));
      case LeaseAnswer::kGrant:
        break;
    }
    Commit(LeaseGrantedEvent(lease.generation() + 1, request),
           [this, reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             ExtendLease();
             reply(LeaseNow());
           });
  });
}

void ActiveSession::RenewLease(v1::RenewLeaseRequest request, Reply<v1::Lease> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    if (absl::Status lease = CheckLease(request.generation()); !lease.ok()) return reply(lease);
    KeepLease(std::move(reply));
  });
}

void ActiveSession::ReleaseLease(v1::ReleaseLeaseRequest request, Reply<v1::ReleaseLeaseResponse> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    v1::ReleaseLeaseResponse response;
    if (!CheckLease(request.generation()).ok()) return reply(response);
    Commit(LeaseReleasedEvent(request.generation()), [response, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return reply(status);
      response.set_released(true);
      reply(response);
    });
  });
}

void ActiveSession::RequestApproval(v1::RequestApprovalRequest request, Reply<v1::Approval> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    if (absl::Status lease = CheckLease(request.generation()); !lease.ok()) return reply(lease);
    if (const ToolLease::Approval* known = state_.lease().FindApproval(request.approval_id()))
      return reply(ApprovalOf(*known, state_.last_sequence()));
    const TurnState* turn = state_.turn();
    const bool pending = turn != nullptr && std::any_of(turn->open_tools.begin(), turn->open_tools.end(),
                                                        [&](const quota::v1::ToolCall& call) {
                                                          return call.call_id() == request.call_id();
                                                        });
    if (!pending) {
      return reply(absl::FailedPreconditionError(
          "call_id: no call of this id waits for its result; ask about one that the running turn has"));
    }
    ToolLease::Approval asked;
    asked.requested.set_approval_id(request.approval_id());
    v1::Approval response = ApprovalOf(asked, state_.last_sequence() + 1);
    Commit(ApprovalRequestedEvent(*turn, request),
           [response = std::move(response), reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             reply(std::move(response));
           });
  });
}

void ActiveSession::DecideApproval(v1::DecideApprovalRequest request, Reply<v1::Approval> reply) {
  EnqueueCommand([this, request = std::move(request), reply = std::move(reply)](const absl::Status& open) mutable {
    if (!open.ok()) return reply(open);
    const ToolLease::Approval* known = state_.lease().FindApproval(request.approval_id());
    if (known == nullptr || state_.turn() == nullptr) {
      return reply(absl::NotFoundError(
          fmt::format("approval_id: the running turn asks no question {}; it may have ended", request.approval_id())));
    }
    if (known->decided) return reply(ApprovalOf(*known, state_.last_sequence()));
    Commit(ApprovalDecidedEvent(*state_.turn(), request),
           [this, id = request.approval_id(), reply = std::move(reply)](absl::Status status) mutable {
             if (!status.ok()) return reply(status);
             const ToolLease::Approval* decided = state_.lease().FindApproval(id);
             if (decided == nullptr) return reply(absl::NotFoundError("the turn has ended"));
             v1::Approval response = ApprovalOf(*decided, state_.last_sequence());
             response.set_accepted(true);
             reply(std::move(response));
           });
  });
}

}  // namespace holdfast::agent
