#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// Who runs a session's tools, and what was asked and decided about them, as the log tells it. Pure.
//
// A lease belongs to a place, a workspace on a host. While a turn runs its tools stay in one place: the one that the
// turn names, else that of the first lease granted in it. Its generation grows with every move and never goes back.
class ToolLease {
 public:
  void Apply(const v1::SessionEvent& event);

  // Of the newest lease, held or not; 0: there never was one.
  int64_t generation() const { return granted_.generation(); }
  bool held() const { return held_; }
  const v1::ToolLeaseGranted& granted() const { return granted_; }
  // Where the tools of the running turn are. Null: anywhere.
  const v1::ToolPlace* place() const { return place_ ? &*place_ : nullptr; }

  struct Approval {
    v1::ApprovalRequested requested;
    std::optional<v1::ApprovalDecided> decided;
  };
  // What was asked in the running turn, or null.
  const Approval* FindApproval(const std::string& approval_id) const;

 private:
  bool held_ = false;
  bool turn_runs_ = false;
  v1::ToolLeaseGranted granted_;
  std::optional<v1::ToolPlace> place_;
  std::map<std::string, Approval> approvals_;
};

enum class LeaseAnswer {
  kSame,       // the holder asks again
  kGrant,      // a new generation
  kHeld,       // somebody else has it: later, perhaps
  kElsewhere,  // the running turn's tools are in another place
};
// `expired`: the holder has not been heard of for too long.
LeaseAnswer JudgeLease(const ToolLease& lease, const v1::AcquireLeaseRequest& request, bool expired);

}  // namespace holdfast::agent
