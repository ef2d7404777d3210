#include "quota_service/retry/rate_limit_headers.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "quota_service/retry/delay_text.h"
#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

// A name in parts, which are not joined for each of the many that every answer is looked through for.
struct Name {
  std::string_view begin;
  std::string_view middle;
  std::string_view end;

  bool Is(std::string_view key) const {
    if (key.size() != begin.size() + middle.size() + end.size()) return false;
    return key.starts_with(begin) && key.ends_with(end) && key.substr(begin.size(), middle.size()) == middle;
  }
};

// The first header of this name; nullopt where none.
std::optional<std::string_view> Find(const HttpHeaders& headers, const Name& name) {
  for (const auto& [key, value] : headers) {
    if (name.Is(key)) return TrimBlanks(value);
  }
  return std::nullopt;
}

std::optional<int64_t> FindCount(const HttpHeaders& headers, const Name& name) {
  constexpr int64_t kMost = 1'000'000'000'000'000;
  const auto text = Find(headers, name);
  if (!text) return std::nullopt;
  int64_t value = 0;
  const char* const text_end = text->data() + text->size();
  const auto [end, error] = std::from_chars(text->data(), text_end, value);
  if (error != std::errc() || end != text_end || value < 0 || value > kMost) return std::nullopt;
  return value;
}

DimensionHeaders ParseCounts(const HttpHeaders& headers, const Name& limit, const Name& remaining) {
  DimensionHeaders out;
  out.limit = FindCount(headers, limit);
  if (out.limit == 0) out.limit.reset();
  out.remaining = FindCount(headers, remaining);
  if (out.remaining == 0 && !out.limit) out.remaining.reset();
  return out;
}

DimensionHeaders ParseDimension(const HttpHeaders& headers, std::string_view suffix, WallTime server_now) {
  DimensionHeaders out =
      ParseCounts(headers, {"x-ratelimit-limit-", suffix, ""}, {"x-ratelimit-remaining-", suffix, ""});
  if (const auto reset = Find(headers, {"x-ratelimit-reset-", suffix, ""}))
    out.reset = ParseRetryAfter(*reset, server_now);
  return out;
}

DimensionHeaders ParseAnthropic(const HttpHeaders& headers, std::string_view name, WallTime server_now) {
  // Moments in whole seconds, read against a date in whole seconds: of a short time they say nothing.
  constexpr Duration kShortestReset = std::chrono::seconds(5);
  constexpr std::string_view kPrefix = "anthropic-ratelimit-";
  DimensionHeaders out = ParseCounts(headers, {kPrefix, name, "-limit"}, {kPrefix, name, "-remaining"});
  if (const auto reset = Find(headers, {kPrefix, name, "-reset"})) out.reset = ParseRetryAfter(*reset, server_now);
  if (out.reset && *out.reset < kShortestReset) out.reset.reset();
  return out;
}

std::optional<Duration> ParseMilliseconds(std::string_view text) {
  const auto number = ScanDecimal(text);
  if (!number || number->length != text.size()) return std::nullopt;
  if (number->value > ToSeconds(kLongestServerDelay) * 1e3) return std::nullopt;
  return Duration(std::llround(number->value * 1e6));
}

}  // namespace

WallTime ServerNow(const HttpHeaders& headers, WallTime wall_now) {
  const auto date = Find(headers, {"date", "", ""});
  return date ? ParseHttpDate(*date).value_or(wall_now) : wall_now;
}

RateLimitHeaders ParseRateLimitHeaders(const HttpHeaders& headers, WallTime wall_now) {
  const WallTime server_now = ServerNow(headers, wall_now);
  RateLimitHeaders out;
  out.tokens = ParseDimension(headers, "tokens", server_now);
  out.requests = ParseDimension(headers, "requests", server_now);
  // A project's limit stands beside its organisation's; the one with less room is the one that will refuse.
  const DimensionHeaders project = ParseDimension(headers, "project-tokens", server_now);
  if (project.remaining && (!out.tokens.remaining || *project.remaining < *out.tokens.remaining)) out.tokens = project;
  // Anthropic's "tokens" are whichever of its limits is the tightest; they say something only where the others are not.
  out.input_tokens = ParseAnthropic(headers, "input-tokens", server_now);
  out.output_tokens = ParseAnthropic(headers, "output-tokens", server_now);
  if (out.tokens.empty() && out.input_tokens.empty() && out.output_tokens.empty()) {
    out.tokens = ParseAnthropic(headers, "tokens", server_now);
  }
  if (out.requests.empty()) out.requests = ParseAnthropic(headers, "requests", server_now);

  if (const auto ms = Find(headers, {"retry-after-ms", "", ""})) out.retry_after = ParseMilliseconds(*ms);
  if (!out.retry_after) {
    if (const auto value = Find(headers, {"retry-after", "", ""}))
      out.retry_after = ParseRetryAfter(*value, server_now);
  }
  return out;
}

}  // namespace holdfast::quota
