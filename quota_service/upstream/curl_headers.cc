#include "quota_service/upstream/curl_headers.h"

#include <string>

namespace holdfast::quota {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

bool CurlHeaders::AddLine(std::string_view line, long status) {
  bytes_ += line.size();
  if (over_bound()) return false;
  if (complete_) return true;

  const bool continues = line.starts_with(' ') || line.starts_with('\t');
  const std::string_view text = Trim(line);
  if (text.empty() && !continues) {
    const bool interim = status >= 100 && status < 200;
    complete_ = !interim;
    if (interim) headers_.clear();
    return true;
  }
  if (continues) {
    // A folded line (RFC 7230, section 3.2.4) goes on with the value before it.
    if (!headers_.empty() && !text.empty()) headers_.back().second.append(" ").append(text);
    return true;
  }
  const size_t colon = text.find(':');
  // Without a colon it is the status line; libcurl has read that.
  if (colon == std::string_view::npos || colon == 0 || text.starts_with("HTTP/")) return true;
  headers_.emplace_back(LowerCase(Trim(text.substr(0, colon))), std::string(Trim(text.substr(colon + 1))));
  return true;
}

}  // namespace holdfast::quota
