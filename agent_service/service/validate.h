#pragma once

#include <string>

#include "absl/status/status.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// INVALID_ARGUMENT names the field and the remedy.
absl::Status ValidateSessionId(const std::string& session_id);
absl::Status ValidateCursor(int64_t after_sequence);
absl::Status Validate(const v1::CreateSessionRequest& request);
absl::Status Validate(const v1::SubmitTurnRequest& request);
absl::Status Validate(const v1::SubmitToolResultRequest& request);
absl::Status Validate(const v1::CancelTurnRequest& request);
absl::Status Validate(const v1::SnapshotSessionRequest& request);
absl::Status Validate(const v1::RestoreSessionRequest& request);
absl::Status Validate(const v1::ForkSessionRequest& request);
absl::Status ValidateClientKey(const std::string& client_key);
// validate_lease.cc
absl::Status Validate(const v1::ToolPlace& place);
absl::Status Validate(const v1::AcquireLeaseRequest& request);
absl::Status Validate(const v1::RenewLeaseRequest& request);
absl::Status Validate(const v1::ReleaseLeaseRequest& request);
absl::Status Validate(const v1::RequestApprovalRequest& request);
absl::Status Validate(const v1::DecideApprovalRequest& request);
// 0 becomes the default; anything outside 1 to 1000 is refused.
absl::Status ValidatePageSize(int page_size);

}  // namespace holdfast::agent
