#include "common/base/address.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast {
namespace {

constexpr size_t kMaxUnixPath = 107;  // sizeof(sockaddr_un::sun_path) - 1

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is not an address: {}; write host:port, [v6]:port or unix:PATH", text, why));
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
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Bad(text, "an IPv6 host needs brackets");
  }
  if (host.empty()) return Bad(text, "the host is empty");
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
