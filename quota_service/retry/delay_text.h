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
// ("tokens per min", "RPM", "concurrency", …), limit, used and requested, and the moment of a reset, each where it is
// said.
ServerHint ParseRefusalText(std::string_view message);

// "Your limit will reset at 2026-01-10 12:26:55", "You will regain access on 2026-02-01 at 00:00 UTC": the first moment
// in a text that speaks of a reset. A time without a zone is Zhipu's and in China Standard Time.
std::optional<WallTime> ParseResetMoment(std::string_view message);

// From `server_now` until then; absent where that is more than 31 days.
std::optional<Duration> UntilMoment(WallTime moment, WallTime server_now);

}  // namespace holdfast::quota
