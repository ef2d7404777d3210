#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::quota {

// What a provider's gate charges for a request before the answer exists. The input is estimated from the prompt's
// characters as characters / 4 + 2, which is what public refusals of OpenAI's gate show (720,000 characters: "Requested
// 180002").
enum class ChargeRule {
  kMaxOfCapAndCharacters,  // the larger of the input's estimate and max_output_tokens
  kInputPlusCap,           // both together
  kInput,                  // the input alone; output is counted as it is produced
  kNone,                   // tokens are not limited
};

// What is particular about a provider, as data.
struct ProviderProfile {
  std::string_view name;     // as in quota.yaml
  std::string_view dialect;  // where the configuration names none; see FindDialect
  ChargeRule charge;
};

// Every profile, in the order in which people are told of them.
std::span<const ProviderProfile> Profiles();

// Lives for ever. Unknown name: null.
const ProviderProfile* FindProfile(std::string_view name);

// "openai, azure, …", for error messages.
std::string_view ProfileNames();

// Tokens. Arguments below zero count as zero; `max_output_tokens` 0 means that the request sets no cap.
int64_t GateCharge(const ProviderProfile& profile, int64_t prompt_characters, int64_t max_output_tokens);

}  // namespace holdfast::quota
