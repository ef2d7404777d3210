#include "quota_service/upstream/request_headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/base/utf8.h"

namespace holdfast::quota {

absl::Status CheckRequestHeaders(const HttpHeaders& headers) {
  for (const auto& [name, value] : headers) {
    const bool name_fits = !name.empty() && name.find_first_of(std::string_view(" \t\r\n:;\0", 7)) == std::string::npos;
    if (name_fits && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) continue;
    return absl::InvalidArgumentError(fmt::format(
        "header \"{}\" of the upstream request has a line break, or a name that is none", RepairUtf8(name)));
  }
  return absl::OkStatus();
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool HasHeader(const HttpHeaders& headers, std::string_view name) {
  return std::ranges::any_of(headers, [&](const auto& header) { return EqualsIgnoringCase(header.first, name); });
}

}  // namespace holdfast::quota
