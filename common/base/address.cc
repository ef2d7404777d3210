#include "common/base/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace holdfast {
namespace {

constexpr size_t kMaxUnixPath = 107;  // sizeof(sockaddr_un::sun_path) - 1

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is not an address: {}; write host:port, [v6]:port or unix:PATH", text, why));
}

// Names, IPv4 addresses and, between brackets, IPv6 addresses with a zone.
bool IsHost(std::string_view host, bool bracketed) {
  const std::string_view marks = bracketed ? ":.%-_" : ".-_";
  return std::all_of(host.begin(), host.end(), [marks](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || marks.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool Address::is_loopback() const {
  return is_unix() || host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

std::string Address::ToString() const {
  if (is_unix()) return "unix:" + path;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    address.path = text.substr(5);
    if (address.path.empty()) return Bad(text, "the path is empty");
    if (address.path.size() > kMaxUnixPath)
      return Bad(text, fmt::format("the path has more than {} bytes", kMaxUnixPath));
    if (address.path.find('\0') != std::string::npos) return Bad(text, "the path has a zero byte");
    return address;
  }
  if (text.find("://") != std::string_view::npos) return Bad(text, "an address has no scheme");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Bad(text, "an IPv6 host needs brackets");
  }
  if (host.empty()) return Bad(text, "the host is empty");
  if (!IsHost(host, bracketed)) return Bad(text, "the host has characters that no host has");
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number > 65535) {
    return Bad(text, "the port is not a number from 0 to 65535");
  }
  address.host = host;
  address.port = static_cast<uint16_t>(number);
  return address;
}

}  // namespace holdfast
