#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "common/base/address.h"

namespace holdfast::cli {

// A service that the CLI speaks to, as errors name it.
struct Peer {
  std::string service;   // "agent_service"
  std::string flag;      // that says where it is, "--agent"
  std::string variable;  // that does, too
  Address address;
};

Peer AgentPeer(const Address& address);
Peer QuotaPeer(const Address& address);

// What came of a call, for people, never empty: the service's own words; or that it is not there, or that something
// else is, and what to do about it.
std::string Explain(const Peer& peer, const grpc::Status& status);

}  // namespace holdfast::cli
