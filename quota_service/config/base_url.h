#pragma once

#include <string>

#include "absl/status/status.h"

namespace holdfast::quota {

// Whether `url` can be the place where an upstream's API begins: http(s)://host[:port][/path]. INVALID_ARGUMENT says
// why not, and never repeats the URL, which may hold a key by mistake.
absl::Status CheckBaseUrl(const std::string& url);

}  // namespace holdfast::quota
