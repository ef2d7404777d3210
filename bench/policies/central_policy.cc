#include "bench/policies/central_policy.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "quota_service/admission/limit_group.h"
#include "quota_service/appraisal/appraisal.h"

namespace holdfast::bench {
namespace {

using quota::Appraisal;
using quota::Dimension;
using quota::LimitGroup;
using quota::WindowKind;

// As quota_service does it: a call is appraised, and goes to the group, which is served when something changed or a
// moment has come; forecast 250 ms after an arrival at most.
class Central final : public Policy {
 public:
  Central(World& world, Provider& provider, const quota::ProviderProfile& profile, LimitGroup group, bool lower_caps,
          bool fair)
      : Policy(world, provider), profile_(profile), group_(std::move(group)), lower_caps_(lower_caps), fair_(fair) {}

  bool sessions_see_refusals() const override { return false; }

  std::optional<Belief> belief() const override {
    for (const LimitGroup::Level& level : group_.Levels(world_.now())) {
      if (level.dimension != Dimension::kTokens) continue;
      return Belief{static_cast<double>(level.limit), static_cast<double>(level.remaining)};
    }
    return std::nullopt;
  }

 private:
  struct Waiter {
    std::shared_ptr<Call> call;
    Appraisal appraisal;
  };

  static Appraisal::Terms TermsOf(const Call& call, bool lower_caps) {
    Appraisal::Terms terms;
    terms.key = {"model", call.tenant + "/" + call.session, call.background};
    terms.prompt.characters = call.request.characters;
    terms.prompt.shape = ShapeOf(call.request);
    terms.asked_cap = call.request.cap;
    terms.may_lower_cap = lower_caps;
    return terms;
  }

  // As a profile of such a text would be: four characters of code or prose to a token, and one of Chinese.
  static quota::RequestShape ShapeOf(const Request& request) {
    const auto characters = static_cast<double>(request.characters);
    quota::RequestShape shape;
    shape.text = std::max(1.0, request.cjk ? characters * 0.78 : characters / 4);
    shape.shares[static_cast<size_t>(request.cjk ? quota::TextClass::kCjk : quota::TextClass::kWords)] = 1;
    return shape;
  }

  void OnSubmit(std::shared_ptr<Call> call) override {
    Appraisal appraisal(estimator_, profile_, TermsOf(*call, lower_caps_));
    Enqueue({std::move(call), std::move(appraisal)});
  }

  void Enqueue(Waiter waiter) {
    const LimitGroup::RequestId id = next_++;
    Call& call = *waiter.call;
    call.request.cap = waiter.appraisal.output_cap();
    const quota::Flow flow{call.tenant, call.session, call.weight, call.background};
    group_.Enqueue(world_.now(), id, waiter.appraisal.need(), fair_ ? flow : quota::Flow{});
    world_.At(call.submitted + call.patience, [this, id] {
      if (group_.Leave(id)) Finish(id, Call::Outcome::kOutOfPatience);
    });
    calls_.emplace(id, std::move(waiter));
    Serve();
    const auto found = calls_.find(id);
    if (forecast_due_ || found == calls_.end()) return;
    if (!found->second.call->held || !found->second.call->asks_for_forecast) return;
    forecast_due_ = true;
    world_.After(std::chrono::milliseconds(250), [this] { Forecast(); });
  }

  void Forecast() {
    forecast_due_ = false;
    for (const auto& [id, estimate] : group_.Forecast(world_.now())) {
      Call& call = *calls_.at(id).call;
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
        calls_.at(id).call, [this, id](const Answer& answer) { OnAnswer(id, answer); },
        [this, id](const Usage& usage) { OnEnd(id, usage); });
  }

  void OnEnd(LimitGroup::RequestId id, const Usage& usage) {
    Appraisal& appraisal = calls_.at(id).appraisal;
    quota::TokenUsage used;
    used.input = usage.input;
    used.output = usage.output;
    group_.Settle(world_.now(), id, quota::Settlement::kCharged, appraisal.Settled(used));
    appraisal.Learn(used, usage.cut_short);
    if (usage.cut_short && appraisal.Raise(used)) {
      Waiter again = std::move(calls_.extract(id).mapped());
      Hold(*again.call);
      Enqueue(std::move(again));
    } else {
      Finish(id, Call::Outcome::kDone, usage);
    }
    Serve();
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
    End(node.mapped().call, outcome, usage);
  }

  const quota::ProviderProfile& profile_;
  LimitGroup group_;
  bool lower_caps_;
  bool fair_;
  std::shared_ptr<quota::Estimator> estimator_ = std::make_shared<quota::Estimator>();
  std::unordered_map<LimitGroup::RequestId, Waiter> calls_;
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

const quota::ProviderProfile& ProfileFor(ChargeRule rule) {
  static const quota::ProviderProfile settling = [] {
    quota::ProviderProfile profile = quota::ProfileOf("openai");
    profile.settles = true;
    return profile;
  }();
  if (rule == ChargeRule::kSettled) return settling;
  return quota::ProfileOf(rule == ChargeRule::kInputAndCap ? "moonshot" : "openai");
}

}  // namespace

std::unique_ptr<Policy> MakeCentral(World& world, Provider& provider, const ProviderOptions& options, bool fair) {
  quota::LimitSpec tokens;
  tokens.kind = KindOf(options.window);
  tokens.count = static_cast<int64_t>(options.tokens_per_minute);
  quota::LimitSpec requests;
  requests.dimension = Dimension::kRequests;
  requests.count = static_cast<int64_t>(options.requests_per_minute);
  requests.span = std::chrono::seconds(1);
  LimitGroup group({"provider/model", {tokens, requests}, options.concurrent});
  return std::make_unique<Central>(world, provider, ProfileFor(options.charge), std::move(group), options.lower_caps,
                                   fair);
}

}  // namespace holdfast::bench
