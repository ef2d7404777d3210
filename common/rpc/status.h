#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/clock.h"

namespace holdfast {

// One limit that refused a call; see google.rpc.QuotaFailure in proto/google/rpc.
struct QuotaViolation {
  std::string subject;
  std::string description;
  std::string metric;
  int64_t value = 0;
};

// What a status says beyond code and words. Travels as google.rpc.RetryInfo and google.rpc.QuotaFailure.
struct ErrorDetails {
  std::optional<Duration> retry_delay;
  std::vector<QuotaViolation> violations;

  bool empty() const { return !retry_delay && violations.empty(); }
};

// Words are cut to what surely fits into trailers: 1 KiB, and 256 bytes for each word of at most three violations.
grpc::Status ToGrpc(const absl::Status& status, const ErrorDetails& details = {});
// Keeps the details: ToGrpc of it has them again.
absl::Status FromGrpc(const grpc::Status& status);
// Empty where there are none, or where they cannot be read. A delay is never negative.
ErrorDetails DetailsOf(const grpc::Status& status);

}  // namespace holdfast
