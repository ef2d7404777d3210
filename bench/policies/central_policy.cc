#include "bench/policies/central_policy.h"

#include <cmath>
#include <map>
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
  Central(World& world, Provider& provider, LimitGroup group, bool fair)
      : world_(world), provider_(provider), group_(std::move(group)), fair_(fair) {}

  void Submit(std::shared_ptr<Call> call) override {
    const LimitGroup::RequestId id = next_++;
    const int64_t charge = call->request.charge;
    group_.Enqueue(world_.now(), id, charge,
                   fair_ ? quota::Flow{call->tenant, call->session, call->weight} : quota::Flow{});
    world_.After(call->patience, [this, id] {
      if (group_.Leave(id)) End(id, false);
    });
    calls_[id] = std::move(call);
    Serve();
    if (!calls_.contains(id) || calls_.at(id)->sent || forecast_due_) return;
    forecast_due_ = true;
    world_.After(std::chrono::milliseconds(250), [this] { Forecast(); });
  }

 private:
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
    for (const auto id : decision.rejected) End(id, false);
    for (const auto id : decision.granted) Send(id);
    const auto next = group_.NextAdmission(world_.now());
    if (!next || (timer_ && *timer_ <= *next && *timer_ > world_.now())) return;
    timer_ = *next;
    world_.At(*next, [this] {
      timer_.reset();
      Serve();
    });
  }

  void Send(LimitGroup::RequestId id) {
    const std::shared_ptr<Call> call = calls_.at(id);
    call->sent = world_.now();
    provider_.Send(
        call->request,
        [this, id, call](const Answer& answer) {
          quota::RateLimitHeaders headers;
          headers.tokens = {answer.limit, answer.remaining, answer.reset};
          group_.OnHeaders(world_.now(), id, headers);
          if (!answer.admitted) {
            call->sent.reset();
            quota::ServerHint hint;
            hint.retry_after = answer.retry_after;
            hint.dimension = answer.by_tokens ? Dimension::kTokens : Dimension::kRequests;
            if (answer.by_tokens) {
              hint.limit = answer.limit;
              hint.used = answer.used;
              hint.requested = call->request.charge;
            }
            group_.Refuse(world_.now(), id, hint);
          }
          Serve();
        },
        [this, id] {
          group_.Settle(world_.now(), id, quota::Settlement::kCharged);
          End(id, true);
          Serve();
        });
  }

  void End(LimitGroup::RequestId id, bool done) {
    const auto node = calls_.extract(id);
    node.mapped()->on_end(done);
  }

  World& world_;
  Provider& provider_;
  LimitGroup group_;
  bool fair_;
  std::map<LimitGroup::RequestId, std::shared_ptr<Call>> calls_;
  LimitGroup::RequestId next_ = 1;
  std::optional<BootTime> timer_;
  bool forecast_due_ = false;
};

}  // namespace

std::unique_ptr<Policy> MakeCentral(World& world, Provider& provider, const ProviderOptions& options, bool fair) {
  const auto per_second = static_cast<int64_t>(std::floor(std::max(1.0, options.requests_per_minute / 60)));
  LimitGroup group({"provider/model",
                    {{Dimension::kTokens, WindowKind::kContinuous, static_cast<int64_t>(options.tokens_per_minute),
                      std::chrono::minutes(1)},
                     {Dimension::kRequests, WindowKind::kSliding, per_second, std::chrono::milliseconds(1500)}},
                    std::nullopt});
  return std::make_unique<Central>(world, provider, std::move(group), fair);
}

}  // namespace holdfast::bench
