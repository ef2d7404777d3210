#include "clients/cli/commands/peer.h"

#include <fmt/format.h>

#include <string_view>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/link.h"

namespace holdfast::cli {
namespace {

// gRPC prefixes the cause with how it went about it.
std::string Cause(const std::string& message) {
  constexpr std::string_view kBefore = "Failed to connect to remote host: ";
  const size_t at = message.find(kBefore);
  return at == std::string::npos ? message : message.substr(at + kBefore.size());
}

}  // namespace

Peer AgentPeer(const Address& address) { return {"agent_service", "--agent", "HOLDFAST_AGENT", address}; }
Peer QuotaPeer(const Address& address) { return {"quota_service", "--quota", "HOLDFAST_QUOTA", address}; }

std::string Explain(const Peer& peer, const grpc::Status& status) {
  const std::string where = peer.address.ToString();
  if (IsNoGrpc(status)) {
    return fmt::format("{} is the address of an HTTP server, not of {}'s gRPC: correct {} or {}", where, peer.service,
                       peer.flag, peer.variable);
  }
  // gRPC's own answer for a method that the server does not have has no words.
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty()) {
    return fmt::format("{} is the address of another gRPC service than {}, or of an older one: correct {} or {}", where,
                       peer.service, peer.flag, peer.variable);
  }
  if (ExitCodeFor(status) == kExitUnreachable) {
    if (const std::string reason = ServersReason(status); !reason.empty())
      return fmt::format("{} cannot go on: {}", peer.service, reason);
    return fmt::format("{0} unreachable at {1}: {2}; start {0}, or correct {3} or {4}", peer.service, where,
                       Cause(status.error_message()), peer.flag, peer.variable);
  }
  if (status.error_message().empty()) {
    return fmt::format("{} at {} answered {} without a word", peer.service, where, StatusCodeName(status.error_code()));
  }
  return status.error_message();
}

}  // namespace holdfast::cli
