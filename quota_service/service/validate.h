#pragma once

#include <string>

#include "absl/status/status.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::quota {

// INVALID_ARGUMENT names the field and the remedy. What only a dialect can judge is left to it.
absl::Status ValidateGenerate(const v1::GenerateRequest& request);
absl::Status ValidateModelName(const std::string& model);
absl::Status ValidateCallId(const std::string& call_id);
absl::Status ValidateTokens(int64_t tokens);

// SHA-256 of everything that makes the request this one: not call_id, tenant, cursor and max_wait.
std::string RequestDigest(const v1::GenerateRequest& request);

}  // namespace holdfast::quota
