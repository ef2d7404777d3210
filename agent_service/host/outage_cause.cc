#include "agent_service/host/outage_cause.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "absl/status/status.h"

namespace holdfast::agent {
namespace {

struct Cause {
  const char* words;  // in lower case
  const char* cause;
};

// In order: a message may hold several, the more exact first.
constexpr std::array kCauses = {
    Cause{"connection refused", "connection refused"},
    Cause{"connection reset", "connection reset"},
    Cause{"broken pipe", "connection reset"},
    Cause{"no route to host", "no route to host"},
    Cause{"network is unreachable", "network unreachable"},
    Cause{"dns resolution failed", "name not resolved"},
    Cause{"name resolution", "name not resolved"},
    Cause{"handshake", "TLS handshake failed"},
    Cause{"certificate", "TLS handshake failed"},
    Cause{"timed out", "timed out"},
    Cause{"timeout", "timed out"},
    Cause{"deadline", "timed out"},
    Cause{"goaway", "connection closed"},
    Cause{"socket closed", "connection closed"},
    Cause{"connection closed", "connection closed"},
    Cause{"failed to connect", "no connection"},
};

}  // namespace

std::string OutageCause(const grpc::Status& status) {
  const std::string code = absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
  std::string message = status.error_message();
  std::transform(message.begin(), message.end(), message.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Cause& cause : kCauses) {
    if (message.find(cause.words) != std::string::npos) return code + ": " + cause.cause;
  }
  return code;
}

}  // namespace holdfast::agent
