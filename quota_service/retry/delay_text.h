#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// A duration as servers write it: "6m0s", "1m12s", "1h2m3s", "3.646s", "80ms", "45", "45 seconds", "2 minutes". Whole
// text.
std::optional<Duration> ParseServerDuration(std::string_view text);

// `Retry-After`: seconds (also fractional), or an HTTP date relative to `server_now`.
std::optional<Duration> ParseRetryAfter(std::string_view value, WallTime server_now);

// RFC 7231 IMF-fixdate, or RFC 3339.
std::optional<WallTime> ParseHttpDate(std::string_view text);
std::optional<WallTime> ParseRfc3339(std::string_view text);

// What an error's own words say: the delay ("Please try again in 3.646s", "retry after 45 seconds", …), the dimension
// ("tokens per min", "RPM", "concurrency", …), and limit, used and requested, each where it is said.
ServerHint ParseRefusalText(std::string_view message);

}  // namespace holdfast::quota
