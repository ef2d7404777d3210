#include <fmt/format.h>

#include "agent_service/service/validate.h"

namespace holdfast::agent {
namespace {

constexpr size_t kMostKey = 128;
constexpr size_t kMostName = 256;
constexpr size_t kMostPath = 4096;
constexpr size_t kMostApprovalId = 320;
constexpr size_t kMostCallId = 256;
constexpr size_t kMostQuestion = 256 * 1024;
constexpr size_t kMostReason = 4096;

// `least` to `most` bytes.
absl::Status CheckSize(const std::string& field, const std::string& value, size_t least, size_t most) {
  if (value.size() >= least && value.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(least == 0 ? fmt::format("{}: must be at most {} bytes", field, most)
                                               : fmt::format("{}: must be {} to {} bytes", field, least, most));
}

absl::Status CheckGeneration(int64_t generation) {
  if (generation > 0) return absl::OkStatus();
  return absl::InvalidArgumentError("generation: must be that of a lease, as AcquireLease returned it");
}

absl::Status First(std::initializer_list<absl::Status> checks) {
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const v1::ToolPlace& place) {
  return First({CheckSize("place.host", place.host(), 1, kMostKey),
                CheckSize("place.host_name", place.host_name(), 0, kMostName),
                CheckSize("place.workspace", place.workspace(), 1, kMostPath)});
}

absl::Status Validate(const v1::AcquireLeaseRequest& request) {
  return First({CheckSize("holder", request.holder(), 1, kMostKey), Validate(request.place())});
}

absl::Status Validate(const v1::RenewLeaseRequest& request) { return CheckGeneration(request.generation()); }

absl::Status Validate(const v1::ReleaseLeaseRequest& request) { return CheckGeneration(request.generation()); }

absl::Status Validate(const v1::RequestApprovalRequest& request) {
  return First({CheckGeneration(request.generation()),
                CheckSize("approval_id", request.approval_id(), 1, kMostApprovalId),
                CheckSize("call_id", request.call_id(), 1, kMostCallId),
                CheckSize("question", request.question(), 1, kMostQuestion)});
}

absl::Status Validate(const v1::DecideApprovalRequest& request) {
  const bool known = request.answer() == v1::APPROVAL_ANSWER_ONCE || request.answer() == v1::APPROVAL_ANSWER_SESSION ||
                     request.answer() == v1::APPROVAL_ANSWER_DENY;
  return First({CheckSize("approval_id", request.approval_id(), 1, kMostApprovalId),
                known ? absl::OkStatus() : absl::InvalidArgumentError("answer: must be ONCE, SESSION or DENY"),
                CheckSize("reason", request.reason(), 0, kMostReason), CheckSize("by", request.by(), 0, kMostName)});
}

}  // namespace holdfast::agent
