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

// A generic server is charged as OpenAI would: it is right for what imitates OpenAI's limits, and where no token limit
// is configured or learnt it charges nobody.
constexpr std::array<ProviderProfile, 7> kProfiles{{
    {"openai", "responses", ChargeRule::kMaxOfCapAndCharacters},
    {"azure", "responses", ChargeRule::kInputPlusCap},
    {"moonshot", "chat", ChargeRule::kInputPlusCap},
    {"zhipu", "chat", ChargeRule::kNone},
    {"anthropic", "chat", ChargeRule::kInput},
    {"openrouter", "chat", ChargeRule::kNone},
    {"generic", "chat", ChargeRule::kMaxOfCapAndCharacters},
}};

}  // namespace

std::span<const ProviderProfile> Profiles() { return kProfiles; }

const ProviderProfile* FindProfile(std::string_view name) {
  const auto found = std::ranges::find(kProfiles, name, &ProviderProfile::name);
  return found == kProfiles.end() ? nullptr : &*found;
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

}  // namespace holdfast::quota
