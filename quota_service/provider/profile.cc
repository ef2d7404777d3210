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
// is configured or learnt (vLLM, llama.cpp, Ollama) it charges nobody. Settlement is documented for Anthropic's
// input and output alone.
constexpr std::array<ProviderProfile, 7> kProfiles{{
    {.name = "openai",
     .dialect = "responses",
     .charge = ChargeRule::kMaxOfCapAndCharacters,
     .hints = HintOrder::kBody,  // "3.646s", while retry-after says 4
     .requests_span = std::chrono::seconds(1)},
    {.name = "azure",
     .dialect = "responses",
     .charge = ChargeRule::kInputPlusCap,
     .hints = HintOrder::kHeaders,  // retry-after-ms, while the words say "86400 seconds"
     .window = WindowKind::kFixed,
     .requests_span = std::chrono::seconds(10)},
    // Delays are in the words alone.
    {.name = "moonshot", .dialect = "chat", .charge = ChargeRule::kInputPlusCap, .hints = HintOrder::kBody},
    {.name = "zhipu", .dialect = "chat", .charge = ChargeRule::kNone},
    {.name = "anthropic",
     .dialect = "chat",
     .charge = ChargeRule::kInput,
     .settles = true,
     .hints = HintOrder::kHeaders},
    // The words are those of whoever serves the model.
    {.name = "openrouter", .dialect = "chat", .charge = ChargeRule::kNone, .hints = HintOrder::kHeaders},
    {.name = "generic", .dialect = "chat", .charge = ChargeRule::kMaxOfCapAndCharacters},
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

bool ChargesCapForGood(const ProviderProfile& profile) {
  const bool charges_cap =
      profile.charge == ChargeRule::kMaxOfCapAndCharacters || profile.charge == ChargeRule::kInputPlusCap;
  return charges_cap && !profile.settles;
}

}  // namespace holdfast::quota
