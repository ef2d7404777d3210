#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/clock.h"

namespace holdfast {

// What people write in configuration and flags: "250ms", "3.5s", "15m", "1h30m", "24h", "0". Not negative, at
// most ten years. A bare number other than 0 is refused, because its unit is a guess.
absl::StatusOr<Duration> ParseDuration(std::string_view text);

// For people: "564ms", "3.6s", "59s", "12m05s", "2h03m".
std::string FormatDuration(Duration d);

}  // namespace holdfast
