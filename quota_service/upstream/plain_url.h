#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::quota {

// An http:// URL, taken apart. Views into it.
struct PlainUrl {
  std::string_view host;  // a name, or an IPv4 address
  uint16_t port = 80;
  std::string_view target;  // path and query, with its slash
};

// Absent for whatever is not the simplest form of such a URL, of which there are no two readings: other schemes, a user
// or a fragment in it, IPv6, letters outside of ASCII, "..", numbers that are no whole IPv4 address.
std::optional<PlainUrl> ReadPlainUrl(std::string_view url);

}  // namespace holdfast::quota
