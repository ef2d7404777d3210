#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quota_service/admission/limit_group.h"

// Terse ways to say what a provider has and answers, for tests of LimitGroup.
namespace holdfast::quota {

inline constexpr Duration kMinute = std::chrono::minutes(1);
inline constexpr Duration kDay = std::chrono::hours(24);

// A moment after a start that is no round number.
inline BootTime At(Duration since_start) { return BootTime(std::chrono::seconds(12'345)) + since_start; }

inline LimitSpec TokensPerMinute(int64_t count, WindowKind kind = WindowKind::kContinuous) {
  return {Dimension::kTokens, kind, count, kMinute};
}
inline LimitSpec RequestsPerMinute(int64_t count) {
  return {Dimension::kRequests, WindowKind::kContinuous, count, kMinute};
}

inline RateLimitHeaders TokenHeaders(std::optional<int64_t> limit, std::optional<int64_t> remaining,
                                     std::optional<Duration> reset = std::nullopt) {
  RateLimitHeaders headers;
  headers.tokens = {limit, remaining, reset};
  return headers;
}
inline RateLimitHeaders RequestHeaders(std::optional<int64_t> limit, std::optional<int64_t> remaining,
                                       std::optional<Duration> reset = std::nullopt) {
  RateLimitHeaders headers;
  headers.requests = {limit, remaining, reset};
  return headers;
}

// A group whose first answer has come, without headers: all limits are whole.
inline LimitGroup LearntGroup(std::vector<LimitSpec> limits, std::optional<int64_t> concurrent = std::nullopt) {
  constexpr LimitGroup::RequestId kFirst = 1'000'000;
  LimitGroup group({"upstream/family", std::move(limits), concurrent});
  group.Enqueue(At({}), kFirst, 0);
  group.Admit(At({}));
  group.OnHeaders(At({}), kFirst, {});
  group.Settle(At({}), kFirst, Settlement::kNotSent);
  return group;
}

// What is left of the first limit of `dimension`; nullopt: there is none.
inline std::optional<int64_t> Remaining(const LimitGroup& group, BootTime now,
                                        Dimension dimension = Dimension::kTokens) {
  for (const LimitGroup::Level& level : group.Levels(now)) {
    if (level.dimension == dimension) return level.remaining;
  }
  return std::nullopt;
}

// Enqueues and admits.
inline LimitGroup::Decision Ask(LimitGroup& group, BootTime now, LimitGroup::RequestId id, int64_t tokens) {
  group.Enqueue(now, id, tokens);
  return group.Admit(now);
}

}  // namespace holdfast::quota
