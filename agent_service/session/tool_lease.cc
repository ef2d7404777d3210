#include "agent_service/session/tool_lease.h"

namespace holdfast::agent {
namespace {

// The name of a host is for people.
bool SamePlace(const v1::ToolPlace& a, const v1::ToolPlace& b) {
  return a.host() == b.host() && a.workspace() == b.workspace();
}

}  // namespace

void ToolLease::Apply(const v1::SessionEvent& event) {
  switch (event.kind_case()) {
    case v1::SessionEvent::kTurnStarted:
      turn_runs_ = true;
      approvals_.clear();
      place_.reset();
      if (event.turn_started().has_place()) place_ = event.turn_started().place();
      break;
    // What was copied from another session is nobody's here.
    case v1::SessionEvent::kSessionForked:
    case v1::SessionEvent::kSessionImported:
      held_ = false;
      [[fallthrough]];
    case v1::SessionEvent::kSessionRestored:
    case v1::SessionEvent::kTurnCompleted:
    case v1::SessionEvent::kTurnFailed:
      turn_runs_ = false;
      approvals_.clear();
      place_.reset();
      break;
    case v1::SessionEvent::kToolLeaseGranted:
      held_ = true;
      granted_ = event.tool_lease_granted();
      if (turn_runs_ && !place_) place_ = granted_.place();
      break;
    case v1::SessionEvent::kToolLeaseReleased:
      if (event.tool_lease_released().generation() == granted_.generation()) held_ = false;
      break;
    case v1::SessionEvent::kApprovalRequested:
      if (turn_runs_) approvals_[event.approval_requested().approval_id()] = {event.approval_requested(), std::nullopt};
      break;
    case v1::SessionEvent::kApprovalDecided: {
      const auto found = approvals_.find(event.approval_decided().approval_id());
      if (found != approvals_.end() && !found->second.decided) found->second.decided = event.approval_decided();
      break;
    }
    default:
      break;
  }
}

const ToolLease::Approval* ToolLease::FindApproval(const std::string& approval_id) const {
  const auto found = approvals_.find(approval_id);
  return found == approvals_.end() ? nullptr : &found->second;
}

LeaseAnswer JudgeLease(const ToolLease& lease, const v1::AcquireLeaseRequest& request, bool expired) {
  if (lease.place() != nullptr && !SamePlace(*lease.place(), request.place())) return LeaseAnswer::kElsewhere;
  const bool same_place = SamePlace(lease.granted().place(), request.place());
  if (!lease.held()) return LeaseAnswer::kGrant;
  if (same_place && lease.granted().holder() == request.holder()) return LeaseAnswer::kSame;
  if (expired || (same_place && request.supersede())) return LeaseAnswer::kGrant;
  return LeaseAnswer::kHeld;
}

}  // namespace holdfast::agent
