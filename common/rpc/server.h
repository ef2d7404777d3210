#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/rpc/tls.h"

namespace holdfast {

// A gRPC server with health checking and reflection; it serves from construction to Drain.
class RpcServer {
 public:
  // `services` outlive the server. UNAVAILABLE names the address and why it could not be bound. A socket file that
  // nobody listens on is replaced.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const Address& address,
                                                          const std::vector<grpc::Service*>& services,
                                                          const std::optional<TlsServer>& tls = std::nullopt);
  ~RpcServer();

  // With the port that was chosen.
  const Address& address() const { return address_; }
  // What health checks answer; NOT_SERVING until the first call.
  void SetServing(bool serving);
  // Stops accepting, waits for running calls, cancels those that are left after `deadline`. Blocks; never on the loop.
  void Drain(Duration deadline);

 private:
  RpcServer() = default;

  Address address_;
  std::unique_ptr<grpc::Server> server_;
};

// The token of `authorization: Bearer …`, or empty.
std::string BearerToken(const grpc::ServerContextBase& context);

}  // namespace holdfast
