#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// Response headers, names in lower case, in order of arrival.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// One dimension as the `x-ratelimit-*` headers of an answer describe it. A value of -1 or nonsense is absent. A limit
// of 0 is absent; so is a remaining of 0 that comes with an absent limit (both mean "unknown" at some providers).
struct DimensionHeaders {
  std::optional<int64_t> limit;
  std::optional<int64_t> remaining;
  std::optional<Duration> reset;  // until the limit is whole again

  bool empty() const { return !limit && !remaining && !reset; }
};

struct RateLimitHeaders {
  DimensionHeaders tokens;
  DimensionHeaders input_tokens;
  DimensionHeaders output_tokens;
  DimensionHeaders requests;
  std::optional<Duration> retry_after;  // retry-after-ms before retry-after; both forms of the latter

  // Not for concurrency.
  const DimensionHeaders& Of(Dimension dimension) const {
    switch (dimension) {
      case Dimension::kTokens:
        return tokens;
      case Dimension::kInputTokens:
        return input_tokens;
      case Dimension::kOutputTokens:
        return output_tokens;
      case Dimension::kRequests:
      case Dimension::kConcurrency:
        break;
    }
    return requests;
  }
  bool empty() const {
    return tokens.empty() && input_tokens.empty() && output_tokens.empty() && requests.empty() && !retry_after;
  }
};

// The server's clock: the answer's `date`, or `wall_now` where it has none.
WallTime ServerNow(const HttpHeaders& headers, WallTime wall_now);

// Reads x-ratelimit-{limit,remaining,reset}-{requests,tokens}, the `-project-tokens` variants (the smaller remaining
// wins), Anthropic's anthropic-ratelimit-{requests,input-tokens,output-tokens,tokens}-{limit,remaining,reset},
// retry-after-ms and retry-after. `wall_now` is used for absolute times where the answer has no `date`.
RateLimitHeaders ParseRateLimitHeaders(const HttpHeaders& headers, WallTime wall_now);

}  // namespace holdfast::quota
