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

// What is left of a limit.
struct Room {
  int64_t limit = 0;
  int64_t remaining = 0;
  Duration reset{};
};

void TakeSmaller(const Room& room, std::optional<Room>* least) {
  if (!*least || room.remaining < (*least)->remaining) *least = room;
}

void AddRoom(std::string_view name, const std::optional<Room>& room, HttpHeaders* headers) {
  if (!room) return;
  const int64_t remaining = std::clamp<int64_t>(room->remaining, 0, room->limit);
  headers->emplace_back(fmt::format("x-ratelimit-limit-{}", name), fmt::format("{}", room->limit));
  headers->emplace_back(fmt::format("x-ratelimit-remaining-{}", name), fmt::format("{}", remaining));
  headers->emplace_back(fmt::format("x-ratelimit-reset-{}", name), ResetText(room->reset));
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

HttpHeaders QuotaHeaders(const std::vector<LimitGroup::Level>& levels, const std::optional<BudgetStanding>& budget) {
  std::optional<Room> requests;
  std::optional<Room> tokens;
  for (const LimitGroup::Level& level : levels) {
    if (level.limit <= 0) continue;
    const double used = static_cast<double>(level.limit - level.remaining) / static_cast<double>(level.limit);
    const Room room{level.limit, level.remaining, FromSeconds(std::max(0.0, used) * ToSeconds(level.per))};
    if (level.dimension == Dimension::kRequests) TakeSmaller(room, &requests);
    if (level.dimension == Dimension::kTokens) TakeSmaller(room, &tokens);
  }
  if (budget) {
    TakeSmaller({budget->limit, budget->limit - budget->spent - budget->reserved, budget->until_reset}, &tokens);
  }
  HttpHeaders headers;
  AddRoom("requests", requests, &headers);
  AddRoom("tokens", tokens, &headers);
  return headers;
}

}  // namespace holdfast::quota
