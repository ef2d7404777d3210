#include "quota_service/config/base_url.h"

#include <algorithm>
#include <string_view>

namespace holdfast::quota {

absl::Status CheckBaseUrl(const std::string& url) {
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return absl::InvalidArgumentError("must begin with https:// or http://");
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.empty())
    return absl::InvalidArgumentError("names no host; write for example https://api.openai.com/v1");
  if (authority.find('@') != std::string_view::npos) {
    return absl::InvalidArgumentError("must not hold a user or password; the key belongs into api_key");
  }
  const bool plain = std::all_of(rest.begin(), rest.end(), [](char c) {
    return c > 0x20 && c < 0x7F && std::string_view("?#\"\\").find(c) == std::string_view::npos;
  });
  if (!plain) {
    return absl::InvalidArgumentError(
        "must not hold white space, a query or a fragment; write for example https://api.openai.com/v1");
  }
  return absl::OkStatus();
}

}  // namespace holdfast::quota
