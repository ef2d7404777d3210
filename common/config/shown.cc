#include "common/config/shown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace holdfast {

std::string ShownFile(const std::string& path) {
  constexpr size_t kLongest = 1024;
  const auto begins = [&](std::string_view prefix) { return path.starts_with(prefix); };
  const bool rooted = begins("/") || begins("./") || begins("../") || begins("~/");
  const bool plain = std::ranges::all_of(path, [](unsigned char c) {
    return std::isalnum(c) || std::string_view("/._-~@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (rooted && plain && path.size() <= kLongest) return "the file " + path;
  return "the file that is named here";
}

std::string ShownUrl(const std::string& url) {
  constexpr size_t kLongest = 16;
  const size_t end = url.find(':');
  const std::string scheme = url.substr(0, end);
  const bool plain = std::ranges::all_of(scheme, [](unsigned char c) { return std::islower(c) != 0; });
  if (end == std::string::npos || scheme.empty() || scheme.size() > kLongest || !plain) return "what is given";
  return fmt::format("\"{}:…\"", scheme);
}

}  // namespace holdfast
