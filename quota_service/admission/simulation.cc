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
    gauges_.push_back({limit.dimension, std::move(gauge), level, 0});
  }
  for (const auto& [id, flight] : group.in_flight_) {
    const BootTime end = flight.since + group.mean_duration_;
    slots_.insert(end > now ? end : now + kOverdue);
  }
}

void LimitGroup::Simulation::Expect(int64_t tokens) {
  Next(tokens);
  --position_;
}

WaitEstimate LimitGroup::Simulation::Next(int64_t tokens) {
  WaitEstimate estimate;
  estimate.position = ++position_;
  estimate.requested = tokens;
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
    const BootTime fits = copy.gauge->WhenFits(time_, Amount(copy.dimension, tokens));
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
    estimate.requested = static_cast<int64_t>(Amount(binding->dimension, tokens));
  }

  for (Copy& copy : gauges_) {
    const double amount = Amount(copy.dimension, tokens);
    copy.gauge->Charge(when, amount);
    copy.charged_ahead += amount;
  }
  slots_.insert(when + group_.mean_duration_);
  time_ = when;
  estimate.wait = when - now_;
  if (estimate.wait <= Duration::zero()) estimate.reason = WaitEstimate::Reason::kNone;
  return estimate;
}

}  // namespace holdfast::quota
