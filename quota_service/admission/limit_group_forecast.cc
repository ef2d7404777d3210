#include <algorithm>
#include <limits>
#include <utility>

#include "quota_service/admission/limit_group.h"
#include "quota_service/admission/simulation.h"

namespace holdfast::quota {
namespace {

void Scale(const ForecastRecord::Ratios& ratios, WaitEstimate& estimate) {
  const double wait = ToSeconds(estimate.wait);
  estimate.wait = FromSeconds(wait * ratios.median);
  estimate.least = FromSeconds(wait * ratios.low);
  estimate.most = FromSeconds(wait * ratios.high);
}

}  // namespace

// Sessions come back: those under way now, and each that has had its turn in the forecast. One that comes back with
// probability p counts as one that comes back for sure with p of its tokens. `told` says whether to go on.
template <typename Told>
void LimitGroup::PlayForward(BootTime now, FairOrder order, Told told) const {
  constexpr RequestId kExpected = 0;
  // Those who are not there yet are a guess; a bound keeps it cheap.
  const size_t most_expected = std::min<size_t>(20 * (order.size() + in_flight_.size()), 2000);
  size_t expected = 0;
  Simulation simulation(*this, now);
  const auto expect = [&](SessionId session, const Tokens& tokens, double share, bool background) {
    const auto part = [&](int64_t of) { return static_cast<int64_t>(static_cast<double>(of) * share); };
    const Tokens returning{part(tokens.total), part(tokens.input), part(tokens.output)};
    if (returning == Tokens{} || expected >= most_expected) return;
    ++expected;
    order.Push(session, {.id = kExpected,
                         .need = Need(returning, returning),
                         .cost = Cost(returning),
                         .since = simulation.time(),
                         .background = background});
  };
  for (const Waiter& waiter : again_) {
    if (!told(waiter.id, simulation.Next(waiter.served.need))) return;
  }
  for (const Waiter& flight : InFlightByTurn()) {
    expect(flight.served.session, flight.served.need.charge, returns_.rate(), flight.served.background);
  }
  while (order.size() > 0) {
    order.Age(simulation.time());
    const SessionId session = order.Head();
    const FairQueue::Waiter waiter = order.First(session);
    order.Serve(session);
    order.Landed(session, 0);
    if (waiter.id == kExpected) {
      simulation.Expect(waiter.need);
    } else if (!told(waiter.id, simulation.Next(waiter.need))) {
      return;
    }
    expect(session, waiter.need.charge, waiter.id == kExpected ? 1 : returns_.rate(), waiter.background);
  }
}

std::vector<std::pair<LimitGroup::RequestId, WaitEstimate>> LimitGroup::Forecast(BootTime now) {
  std::vector<std::pair<RequestId, WaitEstimate>> estimates;
  estimates.reserve(queued());
  if (queued() == 0) return estimates;
  const ForecastRecord::Ratios ratios = record_.ratios();
  PlayForward(now, queue_.order(), [&](RequestId id, const WaitEstimate& estimate) {
    first_forecasts_.try_emplace(id, FirstForecast{now, estimate.wait, ratios});
    estimates.emplace_back(id, estimate);
    Scale(ratios, estimates.back().second);
    return estimates.size() < queued();
  });
  return estimates;
}

std::optional<WaitEstimate> LimitGroup::WouldWait(BootTime now, const Need& asked, const Flow& flow) const {
  const Need need = Fitted(asked);
  if (NeverFits(need.charge)) return std::nullopt;
  constexpr RequestId kProbe = std::numeric_limits<RequestId>::max();
  FairOrder order = queue_.order();
  queue_.PushTo(order, flow,
                {.id = kProbe, .need = need, .cost = Cost(need.charge), .since = now, .background = flow.background});
  WaitEstimate result;
  PlayForward(now, std::move(order), [&](RequestId id, const WaitEstimate& estimate) {
    result = estimate;
    return id != kProbe;
  });
  Scale(record_.ratios(), result);
  return result;
}

}  // namespace holdfast::quota
