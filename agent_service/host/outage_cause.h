#pragma once

#include <grpcpp/support/status.h>

#include <string>

namespace holdfast::agent {

// Why a link broke, for the log, its exports and clients: the status code's name and, where gRPC's words are known, a
// short cause. Nothing else of these words: they name addresses of the inside.
std::string OutageCause(const grpc::Status& status);

}  // namespace holdfast::agent
