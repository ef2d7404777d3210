#include "bench/policies/provider.h"

#include <algorithm>
#include <cmath>

namespace holdfast::bench {

Provider::Provider(World& world, const ProviderOptions& options)
    : world_(world),
      options_(options),
      tokens_(options.tokens_per_minute),
      requests_(std::max(1.0, options.requests_per_minute / 60)),
      refilled_(world.now()) {
  if (options_.foreign_share > 0) SpendElsewhere();
}

void Provider::SpendElsewhere() {
  Refill();
  // Bursts of a tenth of a minute's share.
  const double burst = options_.tokens_per_minute * options_.foreign_share / 10;
  if (tokens_ >= burst) tokens_ -= burst;
  world_.After(FromSeconds(world_.Uniform(1, 11)), [this] { SpendElsewhere(); });
}

void Provider::Refill() {
  const double elapsed = ToSeconds(world_.now() - refilled_);
  refilled_ = world_.now();
  const double refilled = tokens_ + elapsed * options_.tokens_per_minute / 60;
  lost_ += std::max(0.0, refilled - options_.tokens_per_minute);
  tokens_ = std::min(options_.tokens_per_minute, refilled);
  requests_ = std::min(std::max(1.0, options_.requests_per_minute / 60),
                       requests_ + elapsed * options_.requests_per_minute / 60);
}

void Provider::SetLimit(double tokens_per_minute) {
  Refill();
  tokens_ = std::min(tokens_per_minute, tokens_ + tokens_per_minute - options_.tokens_per_minute);
  options_.tokens_per_minute = tokens_per_minute;
}

// Mostly a tenth of a second, sometimes half of one.
Duration Provider::Latency() { return FromSeconds(0.005 + 0.495 * std::pow(world_.Uniform(0, 1), 3)); }

void Provider::Send(const Request& request, std::function<void(const Answer&)> on_answer,
                    std::function<void()> on_end) {
  world_.After(Latency(), [this, request, on_answer = std::move(on_answer), on_end = std::move(on_end)] {
    Refill();
    const auto charge = static_cast<double>(request.charge);
    const double limit = options_.tokens_per_minute;
    Answer answer;
    answer.too_large = charge > limit;
    answer.by_tokens = tokens_ < charge;
    answer.admitted = !answer.by_tokens && requests_ >= 1;
    answer.limit = static_cast<int64_t>(limit);
    if (answer.admitted) {
      ++admissions_;
      tokens_ -= charge;
      requests_ -= 1;
      charged_ += charge;
    } else {
      ++refusals_;
      answer.used = static_cast<int64_t>(std::ceil(limit - tokens_));
      const double seconds =
          answer.by_tokens ? (charge - tokens_) / limit * 60 : (1 - requests_) / options_.requests_per_minute * 60;
      answer.retry_after = FromSeconds(std::floor(seconds * 1000) / 1000);
    }
    answer.remaining = static_cast<int64_t>(std::floor(tokens_));
    answer.reset = FromSeconds((limit - tokens_) / limit * 60);
    const Duration back = Latency();
    world_.After(back, [answer, on_answer] { on_answer(answer); });
    if (answer.admitted) world_.After(back + request.run, on_end);
  });
}

}  // namespace holdfast::bench
