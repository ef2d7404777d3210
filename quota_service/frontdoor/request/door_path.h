#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "quota_service/frontdoor/request/request_scan.h"

namespace holdfast::quota {

// NOT_FOUND: not under /v1/. INVALID_ARGUMENT: a path that could mean another one to who reads it after us.
absl::Status CheckDoorPath(std::string_view path);

Api ApiOf(std::string_view path);
// What stands for the id in /v1/responses/ID and what is below it; empty for other paths.
std::string_view ResponseIdOf(std::string_view path);

// Whether what is kept there (files, batches, …) is the upstream account's, whoever put it there.
bool IsSharedState(std::string_view path);

}  // namespace holdfast::quota
