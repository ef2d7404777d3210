#pragma once

#include <cstdint>

#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast {

// What OpenAI's gate reads of a request, as far as public refusals tell: Unicode code points of `instructions`, of
// every text part, of tool call arguments and of tool results. Names, ids, roles, tool schemas, images and JSON syntax
// are not counted. (docs/charge.md)
int64_t CountPromptCharacters(const quota::v1::GenerateRequest& request);

// characters / 4 + 2: what that gate charges for them (720,000 characters: "Requested 180002").
int64_t EstimateTokens(int64_t characters);

}  // namespace holdfast
