#include "bench/policies/central_policy.h"

#include <cmath>
#include <unordered_map>
#include <utility>

#include "quota_service/admission/limit_group.h"

namespace holdfast::bench {
namespace {

using quota::Dimension;
using quota::LimitGroup;
using quota::WindowKind;

// As the ledger does it: served when something changed or a moment has come; forecast 250 ms after an arrival at most.
class Central final : public Policy {
 public:
  Central(World& world, Provider& provider, LimitGroup group, ChargeRule rule, bool fair)
      : Policy(world, provider), group_(std::move(group)), rule_(rule), fair_(fair) {}

  bool sessions_see_refusals() const override { return false; }

  std::optional<Belief> belief() const override {
    for (const LimitGroup::Level& level : group_.Levels(world_.now())) {
      if (level.dimension != Dimension::kTokens) continue;
      return Belief{static_cast<double>(level.limit), static_cast<double>(level.remaining)};
    }
    return std::nullopt;
  }

 private:
  void OnSubmit(std::shared_ptr<Call> call) override {
    const LimitGroup::RequestId id = next_++;
    group_.Enqueue(world_.now(), id, ChargeFromOutside(rule_, call->request),
                   fair_ ? quota::Flow{call->tenant, call->session, call->weight} : quota::Flow{});
    world_.After(call->patience, [this, id] {
      if (group_.Leave(id)) Finish(id, Call::Outcome::kOutOfPatience);
    });
    calls_[id] = std::move(call);
    Serve();
    const auto found = calls_.find(id);
    if (forecast_due_ || found == calls_.end() || !found->second->held || !found->second->asks_for_forecast) return;
    forecast_due_ = true;
    world_.After(std::chrono::milliseconds(250), [this] { Forecast(); });
  }

  void Forecast() {
    forecast_due_ = false;
    for (const auto& [id, estimate] : group_.Forecast(world_.now())) {
      Call& call = *calls_.at(id);
      if (call.announced) continue;
      const Duration waited = world_.now() - call.submitted;
      call.announced = waited + estimate.wait;
      call.least = waited + estimate.least;
      call.most = waited + estimate.most;
    }
  }

  void Serve() {
    const LimitGroup::Decision decision = group_.Admit(world_.now());
    for (const auto id : decision.rejected) Finish(id, Call::Outcome::kRefused);
    for (const auto id : decision.granted) Go(id);
    const auto next = group_.NextAdmission(world_.now());
    if (!next || (timer_ && *timer_ <= *next && *timer_ > world_.now())) return;
    timer_ = *next;
    world_.At(*next, [this] {
      timer_.reset();
      Serve();
    });
  }

  void Go(LimitGroup::RequestId id) {
    Send(
        calls_.at(id), [this, id](const Answer& answer) { OnAnswer(id, answer); },
        [this, id](const Usage& usage) {
          group_.Settle(world_.now(), id, quota::Settlement::kCharged);
          Finish(id, Call::Outcome::kDone, usage);
          Serve();
        });
  }

  void OnAnswer(LimitGroup::RequestId id, const Answer& answer) {
    quota::RateLimitHeaders headers;
    headers.tokens = {answer.limit, answer.remaining, answer.reset};
    group_.OnHeaders(world_.now(), id, headers);
    if (answer.refusal == Answer::Refusal::kTooLarge) {
      group_.Settle(world_.now(), id, quota::Settlement::kNotSent);
      Finish(id, Call::Outcome::kRefused);
    } else if (!answer.admitted()) {
      group_.Refuse(world_.now(), id, HintOf(answer));
    }
    Serve();
  }

  static quota::ServerHint HintOf(const Answer& answer) {
    quota::ServerHint hint;
    hint.retry_after = answer.retry_after;
    if (answer.refusal == Answer::Refusal::kRequests) {
      hint.dimension = Dimension::kRequests;
      return hint;
    }
    const bool tokens = answer.refusal == Answer::Refusal::kTokens;
    hint.dimension = tokens ? Dimension::kTokens : Dimension::kConcurrency;
    hint.limit = answer.told_limit;
    if (tokens) {
      hint.used = answer.used;
      hint.requested = answer.requested;
    }
    return hint;
  }

  void Finish(LimitGroup::RequestId id, Call::Outcome outcome, const Usage& usage = {}) {
    const auto node = calls_.extract(id);
    End(node.mapped(), outcome, usage);
  }

  LimitGroup group_;
  ChargeRule rule_;
  bool fair_;
  std::unordered_map<LimitGroup::RequestId, std::shared_ptr<Call>> calls_;
  LimitGroup::RequestId next_ = 1;
  std::optional<BootTime> timer_;
  bool forecast_due_ = false;
};

WindowKind KindOf(Window window) {
  switch (window) {
    case Window::kSliding:
      return WindowKind::kSliding;
    case Window::kFixed:
      return WindowKind::kFixed;
    case Window::kContinuous:
      break;
  }
  return WindowKind::kContinuous;
}

}  // namespace

std::unique_ptr<Policy> MakeCentral(World& world, Provider& provider, const ProviderOptions& options, bool fair) {
  const auto per_second = static_cast<int64_t>(std::floor(std::max(1.0, options.requests_per_minute / 60)));
  LimitGroup group({"provider/model",
                    {{Dimension::kTokens, KindOf(options.window), static_cast<int64_t>(options.tokens_per_minute),
                      std::chrono::minutes(1)},
                     {Dimension::kRequests, WindowKind::kSliding, per_second, std::chrono::milliseconds(1500)}},
                    options.concurrent});
  return std::make_unique<Central>(world, provider, std::move(group), options.charge, fair);
}

}  // namespace holdfast::bench
