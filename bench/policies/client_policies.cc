#include "bench/policies/client_policies.h"

#include <algorithm>

namespace holdfast::bench {
namespace {

// A call that is sent when it comes, and again by a rule of its own.
class Retrying final : public Policy {
 public:
  Retrying(World& world, Provider& provider, RetryRule rule) : Policy(world, provider), rule_(std::move(rule)) {}

  bool sessions_see_refusals() const override { return true; }

 private:
  void OnSubmit(std::shared_ptr<Call> call) override { Try(call, 0); }

  void Try(const std::shared_ptr<Call>& call, int attempt) {
    if (world_.now() - call->submitted > call->patience) {
      End(call, Call::Outcome::kOutOfPatience);
      return;
    }
    Send(
        call,
        [this, call, attempt](const Answer& answer) {
          if (answer.admitted()) return;
          const bool for_good = answer.refusal == Answer::Refusal::kTooLarge;
          const std::optional<Duration> wait = for_good ? std::nullopt : rule_(world_, attempt, answer);
          if (!wait) {
            End(call, Call::Outcome::kRefused);
            return;
          }
          world_.After(*wait, [this, call, attempt] { Try(call, attempt + 1); });
        },
        [this, call](const Usage& usage) { End(call, Call::Outcome::kDone, usage); });
  }

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
