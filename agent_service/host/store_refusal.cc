#include "agent_service/host/store_refusal.h"

#include "common/rpc/status.h"

namespace holdfast::agent {

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsInternal(status);
}

bool IsStoresOwn(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

absl::Status StoreRefusal(const absl::Status& status, Duration retry) {
  // As RESOURCE_EXHAUSTED a full disk would be taken for a limit, or for the end of a turn that only has to wait for
  // room.
  if (!IsStoresOwn(status)) return status;
  ErrorDetails details;
  details.retry_delay = retry;
  return FromGrpc(ToGrpc(absl::Status(absl::StatusCode::kUnavailable, status.message()), details));
}

}  // namespace holdfast::agent
