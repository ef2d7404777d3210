#include "quota_service/service/own_address.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

namespace holdfast::quota {
namespace {

namespace ip = boost::asio::ip;

struct Target {
  std::string host;  // without brackets
  uint16_t port = 0;
};

Target TargetOf(std::string_view url) {
  Target target;
  target.port = url.starts_with("https://") ? 443 : 80;
  url.remove_prefix(std::min(url.size(), url.find("://") + 3));
  std::string_view authority = url.substr(0, url.find('/'));
  const size_t colon = authority.rfind(':');
  // The colons of an address in brackets are its own.
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), target.port);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  target.host = authority;
  return target;
}

// ::ffff:a.b.c.d is a.b.c.d.
ip::address Plain(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

std::vector<ip::address> Resolve(const std::string& host) {
  std::vector<ip::address> addresses;
  // The resolver takes no name for the loopback's.
  if (host.empty()) return addresses;
  boost::asio::io_context context;
  boost::system::error_code ignored;
  for (const auto& entry : ip::tcp::resolver(context).resolve(host, "0", ignored)) {
    addresses.push_back(Plain(entry.endpoint().address()));
  }
  return addresses;
}

bool IsOfThisMachine(const ip::address& address) {
  // Connecting to "any" address connects to this machine.
  if (address.is_loopback() || address.is_unspecified()) return true;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, freeifaddrs);
  for (const ifaddrs* interface = list; interface != nullptr; interface = interface->ifa_next) {
    if (interface->ifa_addr == nullptr) continue;
    if (interface->ifa_addr->sa_family == AF_INET && address.is_v4()) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(interface->ifa_addr);
      if (address.to_v4() == ip::address_v4(ntohl(v4->sin_addr.s_addr))) return true;
    } else if (interface->ifa_addr->sa_family == AF_INET6 && address.is_v6()) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(interface->ifa_addr);
      ip::address_v6::bytes_type bytes;
      std::copy_n(v6->sin6_addr.s6_addr, bytes.size(), bytes.begin());
      if (address.to_v6().to_bytes() == bytes) return true;
    }
  }
  return false;
}

}  // namespace

bool ReachesListener(const std::string& base_url, const Address& listener) {
  if (listener.is_unix()) return false;
  const Target target = TargetOf(base_url);
  if (target.port != listener.port) return false;
  const std::vector<ip::address> listening = Resolve(listener.host);
  for (const ip::address& address : Resolve(target.host)) {
    for (const ip::address& own : listening) {
      if (address == own) return true;
      if (own.is_unspecified() && IsOfThisMachine(address)) return true;
      if (address.is_unspecified() && own.is_loopback()) return true;
    }
  }
  return false;
}

}  // namespace holdfast::quota
