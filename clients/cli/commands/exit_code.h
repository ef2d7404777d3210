#pragma once

#include <grpcpp/support/status.h>

#include <string_view>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::cli {

// What scripts rely on; the table is in the design document and in docs/status-codes.md.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 69;
inline constexpr int kExitMustWait = 75;
inline constexpr int kExitNeverFits = 76;
inline constexpr int kExitNotAuthorised = 77;
inline constexpr int kExitInterrupted = 130;

int ExitCodeFor(const grpc::Status& status);
int ExitCodeFor(const agent::v1::TurnFailed& failure);

// "RESOURCE_EXHAUSTED" and so on; "UNKNOWN" for a number that gRPC does not define.
std::string_view StatusCodeName(int code);

// The link broke, or the server is not (yet) there: worth another attempt with the same keys. Where the process itself
// cancelled, the caller knows that before it asks.
bool IsLinkFailure(const grpc::Status& status);

// An HTTP/1 server is behind the address: waiting does not change it.
bool IsNoGrpc(const grpc::Status& status);

}  // namespace holdfast::cli
