#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/upstream_simulator/rate_window.h"
#include "tests/upstream_simulator/texts.h"

namespace holdfast::simulator {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What a script or the control face says about one limit.
struct LimitSetting {
  RateLimit limit;
  std::optional<std::int64_t> used;  // absent: keep the present level, 0 for a new limit
};

// Absent: leave as it is. Present without a value: remove.
struct LimitsSetting {
  std::optional<std::optional<LimitSetting>> tokens;
  std::optional<std::optional<LimitSetting>> requests;
};

struct UsedSetting {
  std::optional<std::int64_t> tokens;
  std::optional<std::int64_t> requests;
};

// The limits of the one key that the simulator serves. Pure: `now_ns` is passed in and never goes back.
class Limits {
 public:
  // `origin_ns`: where fixed windows begin.
  explicit Limits(std::int64_t origin_ns) : origin_ns_(origin_ns) {}

  void Apply(const LimitsSetting& setting, std::int64_t now_ns);
  void SetUsed(const UsedSetting& setting, std::int64_t now_ns);

  // Takes the charge from every limit, or from none and says why. When several refuse, the longest wait is named.
  std::optional<Refusal> Admit(std::int64_t charge, std::int64_t now_ns);

  // A refusal that a script asks for. Its numbers obey the bucket's formula for a wait of `seconds`, whatever the
  // present level is; without a limit on tokens, 200000 per minute is claimed.
  Refusal Pretend(std::int64_t charge, double seconds) const;

  const std::optional<RateWindow>& tokens() const { return tokens_; }
  const std::optional<RateWindow>& requests() const { return requests_; }

  // x-ratelimit-{limit,remaining,reset}-{requests,tokens} as of now, for the limits that exist; those of tokens show
  // the level that `pretended` claims, where given.
  Headers RateLimitHeaders(std::int64_t now_ns, const std::optional<Refusal>& pretended = std::nullopt) const;

 private:
  void ApplyOne(std::optional<RateWindow>& window, const std::optional<std::optional<LimitSetting>>& setting,
                std::int64_t now_ns) const;

  std::int64_t origin_ns_;
  std::optional<RateWindow> tokens_;
  std::optional<RateWindow> requests_;
};

// retry-after (whole seconds, rounded up) and retry-after-ms; nothing for a request that is too large.
Headers RetryHeaders(const Refusal& refusal);

}  // namespace holdfast::simulator
