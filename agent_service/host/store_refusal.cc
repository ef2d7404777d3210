#include "agent_service/host/store_refusal.h"

#include "common/rpc/status.h"

namespace holdfast::agent {

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsInternal(status);
}

absl::Status StoreRefusal(const absl::Status& status, Duration retry) {
  if (!absl::IsUnavailable(status)) return status;
  ErrorDetails details;
  details.retry_delay = retry;
  return FromGrpc(ToGrpc(status, details));
}

}  // namespace holdfast::agent
