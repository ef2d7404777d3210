#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast {

// The texts of a request that a gate counts: `instructions`, every part of a message that is text or a refusal,
// arguments of tool calls, outputs of tool results. In their order; some may be empty.
void ForEachPromptText(const quota::v1::GenerateRequest& request, const std::function<void(const std::string&)>& visit);

// What OpenAI's gate reads of a request, as far as public refusals tell: Unicode code points of these texts. Names,
// ids, roles, tool schemas, images and JSON syntax are not counted. (docs/charge.md)
int64_t CountPromptCharacters(const quota::v1::GenerateRequest& request);

// The same, of one item.
int64_t CountItemCharacters(const quota::v1::Item& item);

// characters / 4 + 2: what that gate charges for them (720,000 characters: "Requested 180002").
int64_t EstimateTokens(int64_t characters);

}  // namespace holdfast
