#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

// INVALID_ARGUMENT: a name that is none, or a line break that would begin another header. Names no value.
absl::Status CheckRequestHeaders(const HttpHeaders& headers);

// As header names are compared.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// `name` in any case.
bool HasHeader(const HttpHeaders& headers, std::string_view name);

}  // namespace holdfast::quota
