#include "tests/upstream_simulator/texts.h"

#include "boost/json/value.hpp"
#include "fmt/format.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSecondNs = 1'000'000'000;

// "tokens per min (TPM)", and for windows that OpenAI does not have "tokens per 2s (TPM)".
std::string LimitName(Dimension dimension, std::int64_t per_ns) {
  const std::string_view name = DimensionName(dimension);
  const char letter = dimension == Dimension::kTokens ? 'T' : 'R';
  switch (per_ns / kSecondNs) {
    case 3600:
      return fmt::format("{} per hour ({}PH)", name, letter);
    case 86400:
      return fmt::format("{} per day ({}PD)", name, letter);
    case 60:
      return fmt::format("{} per min ({}PM)", name, letter);
    default:
      return fmt::format("{} per {} ({}PM)", name, FormatDelay(per_ns / 1'000'000), letter);
  }
}

json::value TextOrNull(std::string_view text) {
  if (text.empty()) return nullptr;
  return json::string(text);
}

}  // namespace

std::string_view DimensionName(Dimension dimension) { return dimension == Dimension::kTokens ? "tokens" : "requests"; }

std::string FormatDelay(std::int64_t ms) {
  if (ms <= 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  const std::int64_t seconds = ms / 1000;
  std::string tail = fmt::format("{}", seconds % 60);
  if (ms % 1000 != 0) {
    tail += fmt::format(".{:03}", ms % 1000);
    tail.erase(tail.find_last_not_of('0') + 1);
  }
  tail += 's';
  if (seconds < 60) return tail;
  if (seconds < 3600) return fmt::format("{}m{}", seconds / 60, tail);
  return fmt::format("{}h{}m{}", seconds / 3600, seconds / 60 % 60, tail);
}

std::string RefusalMessage(const Refusal& refusal, std::string_view model) {
  const std::string name = LimitName(refusal.dimension, refusal.per_ns);
  if (refusal.too_large) {
    return fmt::format(
        "Request too large for {} in organization org-sim on {}: Limit {}, Requested {}. The input or output tokens "
        "must be "
        "reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.",
        model, name, refusal.limit, refusal.requested);
  }
  return fmt::format(
      "Rate limit reached for {} in organization org-sim on {}: Limit {}, Used {}, Requested {}. Please try again in "
      "{}. "
      "Visit https://platform.openai.com/account/rate-limits to learn more.",
      model, name, refusal.limit, refusal.used, refusal.requested, FormatDelay(refusal.wait_ms));
}

json::object ErrorObject(std::string_view message, std::string_view type, std::string_view code,
                         std::string_view param) {
  return {{"message", message}, {"type", type}, {"param", TextOrNull(param)}, {"code", TextOrNull(code)}};
}

json::object RefusalError(const Refusal& refusal, std::string_view model) {
  return ErrorObject(RefusalMessage(refusal, model), DimensionName(refusal.dimension), "rate_limit_exceeded");
}

}  // namespace holdfast::simulator
