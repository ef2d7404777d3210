#include "clients/cli/commands/exit_code.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/status.h"

namespace holdfast::cli {
namespace {

// A violated limit of a size, as against money or a foreign account's state, which also travel as FAILED_PRECONDITION.
bool CanNeverFit(const ErrorDetails& details) {
  return std::any_of(details.violations.begin(), details.violations.end(), [](const QuotaViolation& violation) {
    const std::string& metric = violation.metric;
    return metric == "tokens" || metric == "requests" || metric == "concurrent" || metric == "context_window" ||
           violation.description.find("never fit") != std::string::npos;
  });
}

}  // namespace

int ExitCodeFor(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return kExitDone;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return DetailsOf(status).retry_delay ? kExitMustWait : kExitFailed;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return CanNeverFit(DetailsOf(status)) ? kExitNeverFits : kExitFailed;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return kExitNotAuthorised;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

int ExitCodeFor(const agent::v1::TurnFailed& failure) {
  switch (failure.code()) {
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return failure.retry_after_seconds() > 0 || !failure.quota_metric().empty() ? kExitMustWait : kExitFailed;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return failure.never_fits() ? kExitNeverFits : kExitFailed;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return kExitNotAuthorised;
    case grpc::StatusCode::UNAVAILABLE:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

std::string_view StatusCodeName(int code) {
  static constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  if (code < 0 || code >= static_cast<int>(std::size(kNames))) return "UNKNOWN";
  return kNames[code];
}

bool IsNoGrpc(const grpc::Status& status) {
  // How gRPC's core words it; the code is that of a server that is not there.
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         status.error_message().find("connect an http1.x server") != std::string::npos;
}

bool IsLinkFailure(const grpc::Status& status) {
  if (IsNoGrpc(status)) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return true;
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL: {
      // How gRPC's core words a connection that went away under a running stream.
      const std::string message = status.error_message();
      return message.find("Stream removed") != std::string::npos || message.find("RST_STREAM") != std::string::npos;
    }
    default:
      return false;
  }
}

}  // namespace holdfast::cli
