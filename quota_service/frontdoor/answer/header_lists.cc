#include "quota_service/frontdoor/answer/header_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "quota_service/provider/redact_secret.h"

namespace holdfast::quota {
namespace {

// Ends with '*': everything that begins so.
template <size_t kCount>
bool IsListed(std::string_view name, const std::array<std::string_view, kCount>& list) {
  return std::ranges::any_of(list, [name](std::string_view listed) {
    if (!listed.ends_with('*')) return name == listed;
    return name.starts_with(listed.substr(0, listed.size() - 1));
  });
}

constexpr std::array<std::string_view, 17> kToUpstream = {
    "user-agent",      "originator",   "version",     "session-id",          "session_id",     "thread-id",
    "conversation_id", "x-session-id", "openai-beta", "x-client-request-id", "x-codex-*",      "x-stainless-*",
    "idempotency-key", "http-referer", "x-title",     "x-openai-*",          "accept-language"};

constexpr std::array<std::string_view, 6> kToClient = {"x-codex-*",     "x-request-id",         "openai-*",
                                                       "x-models-etag", "x-reasoning-included", "content-disposition"};

// As OpenAI writes it: "120ms", "1.5s", "6m0s".
std::string ResetText(Duration reset) {
  const int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(reset, Duration::zero())).count();
  if (ms < 1000) return fmt::format("{}ms", ms);
  const std::string seconds =
      ms % 1000 == 0 ? fmt::format("{}s", ms / 1000 % 60) : fmt::format("{}.{:03}s", ms / 1000 % 60, ms % 1000);
  if (ms < 60'000) return seconds;
  if (ms < 3'600'000) return fmt::format("{}m{}", ms / 60'000, seconds);
  return fmt::format("{}h{}m{}", ms / 3'600'000, ms / 60'000 % 60, seconds);
}

}  // namespace

HttpHeaders HeadersForUpstream(const HttpHeaders& headers) {
  HttpHeaders passed;
  for (const auto& header : headers) {
    if (IsListed(header.first, kToUpstream)) passed.push_back(header);
  }
  return passed;
}

HttpHeaders HeadersForClient(const HttpHeaders& headers, const std::string& secret) {
  HttpHeaders passed;
  for (const auto& [name, value] : headers) {
    if (IsListed(name, kToClient)) passed.emplace_back(name, secret.empty() ? value : RedactSecret(secret, value));
  }
  return passed;
}

HttpHeaders QuotaHeaders(const std::vector<LimitGroup::Level>& levels) {
  HttpHeaders headers;
  for (const auto& [dimension, name] :
       {std::pair(Dimension::kRequests, "requests"), std::pair(Dimension::kTokens, "tokens")}) {
    const LimitGroup::Level* least = nullptr;
    for (const LimitGroup::Level& level : levels) {
      if (level.dimension == dimension && (least == nullptr || level.remaining < least->remaining)) least = &level;
    }
    if (least == nullptr || least->limit <= 0) continue;
    const int64_t remaining = std::clamp<int64_t>(least->remaining, 0, least->limit);
    const double used = static_cast<double>(least->limit - least->remaining) / static_cast<double>(least->limit);
    headers.emplace_back(fmt::format("x-ratelimit-limit-{}", name), fmt::format("{}", least->limit));
    headers.emplace_back(fmt::format("x-ratelimit-remaining-{}", name), fmt::format("{}", remaining));
    headers.emplace_back(fmt::format("x-ratelimit-reset-{}", name),
                         ResetText(FromSeconds(std::max(0.0, used) * ToSeconds(least->per))));
  }
  return headers;
}

}  // namespace holdfast::quota
