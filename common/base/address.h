#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace holdfast {

// Where to listen or connect: `host:port`, `[v6]:port` or `unix:PATH`.
struct Address {
  std::string host;   // empty for a UNIX socket
  uint16_t port = 0;  // 0: any free one (listening only)
  std::string path;   // of the UNIX socket, else empty

  bool is_unix() const { return !path.empty(); }
  // Reachable from this machine only.
  bool is_loopback() const;
  std::string ToString() const;
};

absl::StatusOr<Address> ParseAddress(std::string_view text);

}  // namespace holdfast
