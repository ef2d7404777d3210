#pragma once

#include <string>

namespace holdfast {

// Takes the tracers that print metadata or bytes, and with them credentials, out of GRPC_TRACE; returns them, separated
// by commas, or empty. In main, before threads and gRPC.
std::string RestrictGrpcTrace();

}  // namespace holdfast
