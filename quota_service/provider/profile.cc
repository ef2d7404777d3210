#include "quota_service/provider/profile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "common/prompt/prompt_characters.h"

namespace holdfast::quota {
namespace {

using enum FailureClass;
using enum FailureScope;

constexpr ErrorName kOpenAiErrors[] = {
    {"insufficient_quota", kQuotaExhausted, kAccount},
    {"billing_hard_limit_reached", kQuotaExhausted, kAccount},
    {"billing_not_active", kQuotaExhausted, kAccount},
    {"usage_limit_reached", kQuotaExhausted, kAccount},  // of a ChatGPT plan
    {"invalid_api_key", kAuthentication, kAccount},
    {"account_deactivated", kAuthentication, kAccount},
    {"unsupported_country_region_territory", kAuthentication, kAccount},
    {"mismatched_organization", kAuthentication},  // a header of the request names another
    {"mismatched_project", kAuthentication},
    {"context_length_exceeded", kContextOverflow},
    {"server_is_overloaded", kOverloaded},
    {"slow_down", kOverloaded},
    {"rate_limit_exceeded", kRateLimited},
};

constexpr ErrorName kAzureErrors[] = {
    {"nocapacity", kOverloaded},  // a 429
};

constexpr ErrorName kMoonshotErrors[] = {
    {"exceeded_current_quota_error", kQuotaExhausted, kAccount},
    {"invalid_authentication_error", kAuthentication, kAccount},
    {"engine_overloaded_error", kOverloaded},  // a 429
    {"rate_limit_reached_error", kRateLimited},
};

// Models that cost nothing answer an account that has not paid.
constexpr ErrorName kZhipuErrors[] = {
    {"1113", kQuotaExhausted, kModel},    // unpaid, a 429
    {"1304", kQuotaExhausted, kModel},    // per day
    {"1308", kQuotaExhausted, kAccount},  // of a plan, with a reset time
    {"1310", kQuotaExhausted, kAccount},  // of a plan, per week or month
    {"1261", kContextOverflow},
    {"1305", kOverloaded},  // a 429
    {"1312", kOverloaded},  // a 429
    {"1302", kRateLimited},
    {"1303", kRateLimited},
};

constexpr ErrorName kAnthropicErrors[] = {
    {"billing_error", kQuotaExhausted, kAccount},
    {"request_too_large", kTooLarge},
    {"authentication_error", kAuthentication, kAccount},
    {"permission_error", kAuthentication},  // to a resource
    {"overloaded_error", kOverloaded},
    {"rate_limit_error", kRateLimited},
};

constexpr ErrorName kGenericErrors[] = {
    {"exceed_context_size_error", kContextOverflow},  // llama.cpp
    {"resource_exhausted", kRateLimited},             // Gemini
};

// A generic server is charged as OpenAI would: it is right for what imitates OpenAI's limits, and where no token limit
// is configured or learnt (vLLM, llama.cpp, Ollama) it charges nobody. Settlement is documented for Anthropic's
// input and output alone.
constexpr std::array<ProviderProfile, 7> kProfiles{{
    {.name = "openai",
     .dialect = "responses",
     .charge = ChargeRule::kMaxOfCapAndCharacters,
     .errors = kOpenAiErrors,
     .hints = HintOrder::kBody,  // "3.646s", while retry-after says 4
     .requests_span = std::chrono::seconds(1)},
    {.name = "azure",
     .dialect = "responses",
     .charge = ChargeRule::kInputPlusCap,
     .errors = kAzureErrors,
     .hints = HintOrder::kHeaders,  // retry-after-ms, while the words say "86400 seconds"
     .window = WindowKind::kFixed,
     .requests_span = std::chrono::seconds(10)},
    // Delays are in the words alone.
    {.name = "moonshot",
     .dialect = "chat",
     .charge = ChargeRule::kInputPlusCap,
     .errors = kMoonshotErrors,
     .counts_input = true,
     .names_cap = true,
     .hints = HintOrder::kBody},
    {.name = "zhipu", .dialect = "chat", .charge = ChargeRule::kNone, .errors = kZhipuErrors},
    {.name = "anthropic",
     .dialect = "chat",
     .charge = ChargeRule::kInput,
     .errors = kAnthropicErrors,
     .settles = true,
     .counts_input = true,
     .hints = HintOrder::kHeaders},
    // The words are those of whoever serves the model.
    {.name = "openrouter", .dialect = "chat", .charge = ChargeRule::kNone, .hints = HintOrder::kHeaders},
    {.name = "generic", .dialect = "chat", .charge = ChargeRule::kMaxOfCapAndCharacters, .errors = kGenericErrors},
}};

}  // namespace

std::span<const ProviderProfile> Profiles() { return kProfiles; }

const ProviderProfile* FindProfile(std::string_view name) {
  const auto found = std::ranges::find(kProfiles, name, &ProviderProfile::name);
  return found == kProfiles.end() ? nullptr : &*found;
}

const ProviderProfile& ProfileOf(std::string_view name) {
  const ProviderProfile* found = FindProfile(name);
  return found != nullptr ? *found : kProfiles.back();
}

std::string_view ProfileNames() {
  static const std::string kNames = [] {
    std::vector<std::string_view> names;
    for (const ProviderProfile& profile : kProfiles) names.push_back(profile.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }();
  return kNames;
}

int64_t GateCharge(const ProviderProfile& profile, int64_t prompt_characters, int64_t max_output_tokens) {
  const int64_t input = EstimateTokens(std::max<int64_t>(prompt_characters, 0));
  const int64_t cap = std::max<int64_t>(max_output_tokens, 0);
  switch (profile.charge) {
    case ChargeRule::kMaxOfCapAndCharacters:
      return std::max(input, cap);
    case ChargeRule::kInputPlusCap:
      return cap > std::numeric_limits<int64_t>::max() - input ? std::numeric_limits<int64_t>::max() : input + cap;
    case ChargeRule::kInput:
      return input;
    case ChargeRule::kNone:
      break;
  }
  return 0;
}

bool StaysCharged(const ProviderProfile& profile, FailureClass cls) {
  switch (cls) {
    case kRateLimited:
    case kTooLarge:
      return profile.debits.refused;
    case kContextOverflow:
    case kInvalidRequest:
      return profile.debits.invalid;
    case kOverloaded:
    case kTransport:
    case kNoStream:
    case kUnusable:
      return profile.debits.failed;
    case kQuotaExhausted:
    case kAuthentication:
      break;
  }
  return false;
}

bool ChargesCapForGood(const ProviderProfile& profile) {
  const bool charges_cap =
      profile.charge == ChargeRule::kMaxOfCapAndCharacters || profile.charge == ChargeRule::kInputPlusCap;
  return charges_cap && !profile.settles;
}

}  // namespace holdfast::quota
