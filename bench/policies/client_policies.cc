#include "bench/policies/client_policies.h"

#include <algorithm>

namespace holdfast::bench {
namespace {

// A call that is sent when it comes, and again by a rule of its own.
class Retrying final : public Policy {
 public:
  Retrying(World& world, Provider& provider, RetryRule rule)
      : world_(world), provider_(provider), rule_(std::move(rule)) {}

  void Submit(std::shared_ptr<Call> call) override { Send(std::move(call), 0); }

 private:
  void Send(std::shared_ptr<Call> call, int attempt) {
    const BootTime now = world_.now();
    if (now - call->submitted > call->patience) {
      call->on_end(false);
      return;
    }
    provider_.Send(
        call->request,
        [this, call, attempt](const Answer& answer) {
          if (answer.admitted) {
            call->sent = world_.now();
            return;
          }
          const std::optional<Duration> wait = answer.too_large ? std::nullopt : rule_(world_, attempt, answer);
          if (!wait) {
            call->on_end(false);
            return;
          }
          world_.After(*wait, [this, call, attempt] { Send(call, attempt + 1); });
        },
        [call] { call->on_end(true); });
  }

  World& world_;
  Provider& provider_;
  RetryRule rule_;
};

}  // namespace

std::unique_ptr<Policy> MakeRetrying(World& world, Provider& provider, RetryRule rule) {
  return std::make_unique<Retrying>(world, provider, std::move(rule));
}

RetryRule ExponentialFrom(Duration first, int most) {
  return [first, most](World& world, int attempt, const Answer&) -> std::optional<Duration> {
    if (attempt >= most) return std::nullopt;
    return FromSeconds(ToSeconds(first) * static_cast<double>(1 << attempt) * world.Uniform(0.9, 1.1));
  };
}

RetryRule RetryAfterUpTo(Duration most_wait, int most) {
  return [most_wait, most](World& world, int attempt, const Answer& answer) -> std::optional<Duration> {
    if (attempt >= most) return std::nullopt;
    if (answer.retry_after <= most_wait) return std::max(answer.retry_after, Duration(std::chrono::milliseconds(1)));
    return FromSeconds(std::min(8.0, 0.5 * (1 << attempt)) * world.Uniform(0.75, 1));
  };
}

RetryRule RetryAfterWithoutEnd() {
  return [](World&, int, const Answer& answer) -> std::optional<Duration> {
    return std::max(answer.retry_after, Duration(std::chrono::milliseconds(1)));
  };
}

}  // namespace holdfast::bench
