#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "agent_service/session/session_state.h"
#include "common/base/clock.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// What is written into the log about what happened. Sequence and time are set when it is committed.

// The turn that begins at `sequence`. Its id is new even where a deleted session had the same name: quota_service keeps
// answered calls by an id that is derived from it.
v1::SessionEvent TurnStartedEvent(v1::SubmitTurnRequest request, int64_t sequence, const std::string& model,
                                  Duration default_max_wait);
v1::SessionEvent ToolResultEvent(const TurnState& turn, v1::SubmitToolResultRequest request);
// Without a wait: the outage of quota_service that was noted last is over.
v1::SessionEvent WaitNotedEvent(const std::string& turn_id, const std::string& call_id,
                                const std::optional<quota::v1::Wait>& wait);
// A tool call whose id the log has already gets another: results, journals and clients tell calls apart by their
// ids.
v1::SessionEvent ModelAnsweredEvent(const v1::ModelCallStarted& call, const SessionState& state,
                                    std::vector<quota::v1::Item> items, const quota::v1::Completed& completed);
v1::SessionEvent LeaseGrantedEvent(int64_t generation, const v1::AcquireLeaseRequest& request);
v1::SessionEvent LeaseReleasedEvent(int64_t generation);
v1::SessionEvent ApprovalRequestedEvent(const TurnState& turn, const v1::RequestApprovalRequest& request);
v1::SessionEvent ApprovalDecidedEvent(const TurnState& turn, const v1::DecideApprovalRequest& request);
// Reads the details of `status`; never_fits is FAILED_PRECONDITION with a limit that was violated.
v1::SessionEvent TurnFailedEvent(const TurnState& turn, const grpc::Status& status);

v1::SessionEvent SnapshotEvent(const std::string& name, int64_t at_sequence, bool automatic);
v1::SessionEvent RestoredEvent(const v1::RestoreSessionRequest& request, int64_t to_sequence);

v1::SessionEvent CompactionFailedEvent(const v1::CompactionCallStarted& call, const grpc::Status& status);

}  // namespace holdfast::agent
