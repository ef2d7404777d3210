#include "quota_service/upstream/plain_url.h"

#include <algorithm>
#include <charconv>

namespace holdfast::quota {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr size_t kMostHost = 253;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Four numbers of at most three digits without a zero in front: whatever else looks like an address has other readings.
bool IsIpv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const std::string_view part = host.substr(0, host.find('.'));
    int number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size() || part.size() > 3 || number > 255) return false;
    if (part.size() > 1 && part.front() == '0') return false;
    ++parts;
    if (part.size() == host.size()) return parts == 4;
    host.remove_prefix(part.size() + 1);
  }
}

bool IsHost(std::string_view host) {
  if (host.empty() || host.size() > kMostHost || host.front() == '.' || host.back() == '.') return false;
  const bool known = std::ranges::all_of(
      host, [](char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_' || c == '.'; });
  if (!known || host.find("..") != std::string_view::npos) return false;
  const size_t dot = host.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  return !IsDigit(last.front()) || IsIpv4(host);
}

bool IsTarget(std::string_view target) {
  if (!target.starts_with('/') || target.find("/.") != std::string_view::npos) return false;
  return std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7f && c != '#' && c != '\\'; });
}

}  // namespace

std::optional<PlainUrl> ReadPlainUrl(std::string_view url) {
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  PlainUrl read;
  const size_t slash = url.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  read.target = url.substr(slash);
  const std::string_view authority = url.substr(0, slash);
  const size_t colon = authority.find(':');
  read.host = authority.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), read.port);
    if (error != std::errc() || end != port.data() + port.size() || read.port == 0) return std::nullopt;
  }
  if (!IsHost(read.host) || !IsTarget(read.target)) return std::nullopt;
  return read;
}

}  // namespace holdfast::quota
