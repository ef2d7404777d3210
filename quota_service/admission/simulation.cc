#include "quota_service/admission/simulation.h"

#include <algorithm>
#include <cmath>

namespace holdfast::quota {
namespace {

// A request that takes longer than they did on average is expected to end this much later, for as long as it lasts: its
// place is not free, so the wait for it is not zero.
constexpr Duration kOverdue = std::chrono::seconds(1);

}  // namespace

LimitGroup::Simulation::Simulation(const LimitGroup& group, BootTime now) : group_(group), now_(now), time_(now) {
  for (const Limit& limit : group.limits_) {
    auto gauge = limit.mirror.gauge().Clone();
    const double level = gauge->Level(now);
    gauges_.push_back({limit.dimension, std::move(gauge), &limit.mirror, level, 0});
  }
  for (const auto& [id, flight] : group.in_flight_) {
    const BootTime end = flight.since + group.mean_duration_;
    slots_.insert(end > now ? end : now + kOverdue);
  }
}

void LimitGroup::Simulation::Expect(const Need& need) {
  Next(need);
  --position_;
}

BootTime LimitGroup::Simulation::WhenFits(const Copy& copy, const Need& need) const {
  const double amount = AmountOf(copy.dimension, need.charge);
  if (first_) {
    const BootTime when = copy.mirror->WhenFits(now_, amount, AmountOf(copy.dimension, need.most));
    if (when != BootTime::max() || amount > copy.gauge->limit()) return when;
    // Until something under way settles.
    return slots_.empty() ? now_ : *slots_.begin();
  }
  const ForeignUse& foreign = copy.mirror->foreign();
  BootTime when = copy.gauge->WhenFits(time_, amount);
  if (foreign.rate() <= 0 || when == BootTime::max()) return when;
  constexpr int kSteps = 4;
  for (int step = 0; step < kSteps; ++step) {
    const double margin = std::min(foreign.Margin(when - time_), copy.gauge->limit() - amount);
    when = copy.gauge->WhenFits(time_, amount + std::max(margin, 0.0));
  }
  return when;
}

WaitEstimate LimitGroup::Simulation::Next(const Need& need) {
  const Tokens& charge = need.charge;
  WaitEstimate estimate;
  estimate.position = ++position_;
  estimate.requested = charge.total;
  BootTime when = time_;

  if (group_.paused_until_ > now_ && group_.paused_until_ >= when) {
    when = group_.paused_until_;
    estimate.reason = WaitEstimate::Reason::kPaused;
  }
  const bool full = group_.concurrent_ && static_cast<int64_t>(slots_.size()) >= *group_.concurrent_;
  if (full || (!group_.learnt_ && !slots_.empty())) {
    when = std::max(when, *slots_.begin());
    if (full) slots_.erase(slots_.begin());
    estimate.reason = full ? WaitEstimate::Reason::kLimit : WaitEstimate::Reason::kLearning;
    estimate.dimension = Dimension::kConcurrency;
    if (full) {
      estimate.limit = *group_.concurrent_;
      estimate.used = static_cast<int64_t>(group_.in_flight_.size()) + position_ - 1;
      estimate.requested = 1;
    }
  }

  const Copy* binding = nullptr;
  for (const Copy& copy : gauges_) {
    const BootTime fits = WhenFits(copy, need);
    // A limit that shrank while others wait: those that no longer fit are rejected before they get here.
    if (fits == BootTime::max()) continue;
    const bool explains = fits > time_ || estimate.reason == WaitEstimate::Reason::kNone;
    if (fits > when || (fits == when && fits > now_ && explains && binding == nullptr)) {
      when = std::max(when, fits);
      binding = &copy;
    }
  }
  if (binding != nullptr) {
    estimate.reason = WaitEstimate::Reason::kLimit;
    estimate.dimension = binding->dimension;
    estimate.limit = static_cast<int64_t>(binding->gauge->limit());
    estimate.per = binding->gauge->per();
    estimate.used =
        static_cast<int64_t>(std::ceil(binding->gauge->limit() - binding->level_now + binding->charged_ahead));
    estimate.requested = static_cast<int64_t>(AmountOf(binding->dimension, charge));
  }

  for (Copy& copy : gauges_) {
    const double amount = AmountOf(copy.dimension, charge);
    copy.gauge->Charge(when, amount + copy.mirror->foreign().rate() * ToSeconds(when - time_));
    copy.charged_ahead += amount;
  }
  slots_.insert(when + group_.mean_duration_);
  time_ = when;
  first_ = false;
  estimate.wait = when - now_;
  if (estimate.wait <= Duration::zero()) estimate.reason = WaitEstimate::Reason::kNone;
  return estimate;
}

}  // namespace holdfast::quota
