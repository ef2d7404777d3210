#pragma once

namespace holdfast {

// The largest gRPC message between the services and their clients, in bytes. gRPC's own default of 4 MiB is less than a
// session's context.
inline constexpr int kMaxRpcMessageBytes = 64 * 1024 * 1024;

}  // namespace holdfast
