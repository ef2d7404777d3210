#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "quota_service/provider/error_body.h"
#include "quota_service/provider/profile.h"
#include "quota_service/retry/failure.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

// Classes an HTTP answer that is not a stream of events: an error status, or a 200 whose body is an error.
// `body` may be anything. The hint is joined from headers and text; where both name a delay, `hints` says which counts.
UpstreamFailure ClassifyErrorResponse(int http_status, const HttpHeaders& headers, std::string_view body,
                                      WallTime wall_now, HintOrder hints = HintOrder::kLonger);

// Classes an error that came inside a stream.
UpstreamFailure ClassifyStreamError(const ErrorBody& error);
// One that has no more than these, of which each may be empty.
UpstreamFailure ClassifyStreamError(std::string_view type, std::string_view code, std::string_view message);

// `message` as it may be shown: valid UTF-8, at most 2 KiB, and whatever looks like a credential replaced by
// "[redacted]".
std::string SanitizeMessage(std::string_view message);

}  // namespace holdfast::quota
