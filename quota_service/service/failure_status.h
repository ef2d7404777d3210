#pragma once

#include <grpcpp/support/status.h>

#include "quota_service/call/envelope.h"
#include "quota_service/call/outcome.h"

namespace holdfast::quota {

// A failed call as gRPC tells it: the table of status codes in docs/status-codes.md.
grpc::Status StatusOf(const CallFailure& failure, const std::string& scope);

}  // namespace holdfast::quota
