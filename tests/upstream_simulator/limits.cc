#include "tests/upstream_simulator/limits.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace holdfast::simulator {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kMillisecondNs = 1'000'000;

std::int64_t DivideUp(std::int64_t value, std::int64_t divisor) { return (value + divisor - 1) / divisor; }

std::optional<Refusal> Check(const std::optional<RateWindow>& window, Dimension dimension, std::int64_t requested,
                             std::int64_t now_ns) {
  if (!window || window->Fits(requested, now_ns)) return std::nullopt;
  Refusal refusal;
  refusal.dimension = dimension;
  refusal.limit = window->limit().limit;
  refusal.per_ns = window->limit().per_ns;
  refusal.used = window->Used(now_ns);
  refusal.requested = requested;
  refusal.too_large = requested > refusal.limit;
  if (!refusal.too_large) {
    refusal.wait_ms = window->WaitMs(requested, now_ns);
    refusal.retry_after_s = DivideUp(window->FitsFromNs(requested, now_ns) - now_ns, kSecondNs);
  }
  return refusal;
}

void AddHeaders(Headers& headers, const std::optional<RateWindow>& window, std::string_view name, std::int64_t now_ns) {
  if (!window) return;
  headers.emplace_back(fmt::format("x-ratelimit-limit-{}", name), fmt::format("{}", window->limit().limit));
  headers.emplace_back(fmt::format("x-ratelimit-remaining-{}", name), fmt::format("{}", window->Remaining(now_ns)));
  headers.emplace_back(fmt::format("x-ratelimit-reset-{}", name),
                       FormatDelay(DivideUp(window->ResetNs(now_ns), kMillisecondNs)));
}

}  // namespace

void Limits::ApplyOne(std::optional<RateWindow>& window, const std::optional<std::optional<LimitSetting>>& setting,
                      std::int64_t now_ns) const {
  if (!setting) return;
  if (!*setting) {
    window.reset();
    return;
  }
  const LimitSetting& wanted = **setting;
  const std::int64_t used = wanted.used.value_or(window ? window->Used(now_ns) : 0);
  window.emplace(wanted.limit, used, origin_ns_, now_ns);
}

void Limits::Apply(const LimitsSetting& setting, std::int64_t now_ns) {
  ApplyOne(tokens_, setting.tokens, now_ns);
  ApplyOne(requests_, setting.requests, now_ns);
}

void Limits::SetUsed(const UsedSetting& setting, std::int64_t now_ns) {
  if (tokens_ && setting.tokens) tokens_->SetUsed(*setting.tokens, now_ns);
  if (requests_ && setting.requests) requests_->SetUsed(*setting.requests, now_ns);
}

std::optional<Refusal> Limits::Admit(std::int64_t charge, std::int64_t now_ns) {
  const std::optional<Refusal> by_tokens = Check(tokens_, Dimension::kTokens, charge, now_ns);
  const std::optional<Refusal> by_requests = Check(requests_, Dimension::kRequests, 1, now_ns);
  if (by_tokens && by_requests) {
    return by_tokens->too_large || by_tokens->wait_ms >= by_requests->wait_ms ? by_tokens : by_requests;
  }
  if (by_tokens) return by_tokens;
  if (by_requests) return by_requests;
  if (tokens_) tokens_->Charge(charge, now_ns);
  if (requests_) requests_->Charge(1, now_ns);
  return std::nullopt;
}

Refusal Limits::Pretend(std::int64_t charge, double seconds) const {
  const RateLimit limit = tokens_ ? tokens_->limit() : RateLimit{200000, 60 * kSecondNs, WindowKind::kContinuous};
  Refusal refusal;
  refusal.limit = limit.limit;
  refusal.per_ns = limit.per_ns;
  refusal.requested = std::min(charge, limit.limit);
  refusal.wait_ms = std::llround(seconds * 1000);
  refusal.retry_after_s = DivideUp(refusal.wait_ms, 1000);
  const double missing = std::ceil(seconds * static_cast<double>(kSecondNs) * static_cast<double>(limit.limit) /
                                   static_cast<double>(limit.per_ns));
  refusal.used = limit.limit - refusal.requested + std::llround(std::clamp(missing, 1.0, 1e15));
  return refusal;
}

Headers Limits::RateLimitHeaders(std::int64_t now_ns, const std::optional<Refusal>& pretended) const {
  std::optional<RateWindow> tokens = tokens_;
  if (pretended) {
    tokens.emplace(RateLimit{pretended->limit, pretended->per_ns, WindowKind::kContinuous}, pretended->used, origin_ns_,
                   now_ns);
  }
  Headers headers;
  AddHeaders(headers, requests_, "requests", now_ns);
  AddHeaders(headers, tokens, "tokens", now_ns);
  return headers;
}

Headers RetryHeaders(const Refusal& refusal) {
  if (refusal.too_large) return {};
  return {{"retry-after", fmt::format("{}", refusal.retry_after_s)},
          {"retry-after-ms", fmt::format("{}", refusal.wait_ms)}};
}

}  // namespace holdfast::simulator
