#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/base/address.h"
#include "common/base/clock.h"

namespace holdfast {

// Asks the gRPC health service (grpc.health.v1) at this address, in plain text, whether the whole server serves.
// UNAVAILABLE says why not: nothing answers there within `patience`, or it starts or stops. Blocks.
absl::Status CheckHealth(const Address& address, Duration patience);

// The same as a program's whole work, for probes of containers: prints the answer. The exit code is 0: it serves, or 1.
int RunHealthCheck(const std::string& program, const Address& address);

}  // namespace holdfast
