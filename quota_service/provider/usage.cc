#include "quota_service/provider/usage.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "quota_service/provider/json_read.h"

namespace holdfast::quota {
namespace {

// Where a count may stand: `object` is empty for the usage object itself.
struct Place {
  std::string_view object;
  std::string_view key;
};

std::optional<int64_t> ReadCount(const boost::json::value* usage, std::initializer_list<Place> places) {
  constexpr int64_t kMost = 1'000'000'000'000;
  for (const Place& place : places) {
    const boost::json::value* holder = place.object.empty() ? usage : Find(usage, place.object);
    const std::optional<int64_t> count = FindInteger(holder, place.key);
    if (count && *count >= 0 && *count <= kMost) return count;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenUsage> ReadUsage(const boost::json::value* usage) {
  const auto input = ReadCount(usage, {{"", "input_tokens"}, {"", "prompt_tokens"}});
  const auto output = ReadCount(usage, {{"", "output_tokens"}, {"", "completion_tokens"}});
  if (!input && !output) return std::nullopt;
  // Kimi puts cached_tokens beside prompt_tokens.
  const auto cached = ReadCount(
      usage,
      {{"input_tokens_details", "cached_tokens"}, {"prompt_tokens_details", "cached_tokens"}, {"", "cached_tokens"}});
  const auto reasoning = ReadCount(
      usage, {{"output_tokens_details", "reasoning_tokens"}, {"completion_tokens_details", "reasoning_tokens"}});
  TokenUsage read;
  read.input = input.value_or(0);
  read.output = output.value_or(0);
  read.cached_input = std::min(cached.value_or(0), read.input);
  read.reasoning = std::min(reasoning.value_or(0), read.output);
  return read;
}

}  // namespace holdfast::quota
