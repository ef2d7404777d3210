#pragma once

#include <string>
#include <string_view>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// One line for people: why a call waits, how long yet, its place. `seconds_left` is what is left now by the client's
// own clock. For example: rate limited (TPM 200000: 160193 used, 51963 needed) · resuming in 3.6s · position 1 ·
// context saved
std::string WaitLine(const quota::v1::Wait& wait, double seconds_left);

// "rate_limit", "upstream_refused", "backoff", "learning", "quota_service", "budget"; "unspecified" for what this
// version does not know.
std::string_view WaitReasonName(quota::v1::WaitReason reason);

// "TPM" for tokens per minute, "RPM" for requests per minute, otherwise as in "tokens per 2s"; for concurrency
// "concurrent".
std::string LimitName(std::string_view dimension, double window_seconds);

}  // namespace holdfast::cli
