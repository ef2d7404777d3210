#include "quota_service/admission/limit_group.h"

#include <algorithm>
#include <cmath>

#include "quota_service/admission/simulation.h"

namespace holdfast::quota {
namespace {

// A refusal that says nothing about time: 1 s, doubled each time in a row, at most a minute.
constexpr Duration kFirstBlindPause = std::chrono::seconds(1);
constexpr int kMostDoublings = 6;
constexpr Duration kMostBlindPause = std::chrono::minutes(1);

}  // namespace

LimitGroup::LimitGroup(LimitGroupOptions options) : name_(std::move(options.name)), concurrent_(options.concurrent) {
  for (const LimitSpec& spec : options.limits) {
    limits_.push_back(
        {spec.dimension, Mirror(spec.kind, static_cast<double>(spec.count), spec.per, LimitSource::kConfigured), true});
  }
}

LimitGroup::Limit* LimitGroup::Find(Dimension dimension) {
  // With several windows of one dimension, headers speak of the shortest: that is what providers report.
  Limit* best = nullptr;
  for (Limit& limit : limits_) {
    if (limit.dimension == dimension && (!best || limit.mirror.gauge().per() < best->mirror.gauge().per()))
      best = &limit;
  }
  return best;
}

void LimitGroup::Enqueue(BootTime, RequestId id, int64_t tokens) { queue_.push_back({id, tokens}); }

bool LimitGroup::NeverFits(int64_t tokens) const {
  const int64_t largest = LargestAdmissible();
  return largest > 0 && tokens > largest;
}

bool LimitGroup::FitsNow(BootTime now, int64_t tokens) const {
  if (now < paused_until_) return false;
  if (!learnt_ && !in_flight_.empty()) return false;
  if (concurrent_ && static_cast<int64_t>(in_flight_.size()) >= *concurrent_) return false;
  return std::all_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
    return limit.mirror.gauge().Fits(now, Amount(limit.dimension, tokens));
  });
}

LimitGroup::Decision LimitGroup::Admit(BootTime now) {
  Decision decision;
  for (auto waiter = queue_.begin(); waiter != queue_.end();) {
    if (NeverFits(waiter->tokens)) {
      decision.rejected.push_back(waiter->id);
      waiter = queue_.erase(waiter);
    } else {
      ++waiter;
    }
  }
  while (!queue_.empty() && FitsNow(now, queue_.front().tokens)) {
    const Waiter head = queue_.front();
    queue_.pop_front();
    for (Limit& limit : limits_) limit.mirror.Send(now, head.id, Amount(limit.dimension, head.tokens));
    in_flight_[head.id] = {head.tokens, now};
    decision.granted.push_back(head.id);
  }
  return decision;
}

std::optional<BootTime> LimitGroup::NextAdmission(BootTime now) const {
  if (queue_.empty()) return std::nullopt;
  if (!learnt_ && !in_flight_.empty()) return std::nullopt;
  if (concurrent_ && static_cast<int64_t>(in_flight_.size()) >= *concurrent_) return std::nullopt;
  BootTime when = std::max(now, paused_until_);
  for (const Limit& limit : limits_) {
    when = std::max(when, limit.mirror.gauge().WhenFits(now, Amount(limit.dimension, queue_.front().tokens)));
  }
  return when;
}

bool LimitGroup::Leave(RequestId id) {
  return std::erase_if(queue_, [&](const Waiter& waiter) { return waiter.id == id; }) > 0;
}

void LimitGroup::LearnLimit(BootTime now, RequestId id, Dimension dimension, const DimensionHeaders& headers) {
  Limit* limit = Find(dimension);
  if (limit == nullptr) {
    if (!headers.limit || *headers.limit <= 0) return;
    limits_.push_back({dimension,
                       Mirror(WindowKind::kContinuous, static_cast<double>(*headers.limit), InferWindow(headers),
                              LimitSource::kHeaders),
                       false});
    limit = &limits_.back();
    // What went before this limit was known is charged by the level that the headers tell.
    for (const auto& [other, flight] : in_flight_) limit->mirror.Send(now, other, Amount(dimension, flight.tokens));
  }
  limit->mirror.OnHeaders(now, id, headers);
}

void LimitGroup::OnHeaders(BootTime now, RequestId id, const RateLimitHeaders& headers) {
  if (!in_flight_.contains(id)) return;
  LearnLimit(now, id, Dimension::kTokens, headers.tokens);
  LearnLimit(now, id, Dimension::kRequests, headers.requests);
  learnt_ = true;
}

std::optional<int64_t> LimitGroup::Land(BootTime now, RequestId id, bool took_nothing) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) return std::nullopt;
  const InFlight flight = found->second;
  in_flight_.erase(found);
  for (Limit& limit : limits_) {
    if (took_nothing) {
      limit.mirror.Return(now, id);
    } else {
      limit.mirror.Forget(id);
    }
  }
  constexpr double kGain = 0.2;
  const double seconds = ToSeconds(mean_duration_);
  if (!took_nothing) mean_duration_ = FromSeconds(seconds + kGain * (ToSeconds(now - flight.since) - seconds));
  return flight.tokens;
}

void LimitGroup::Pause(BootTime now, Duration wait) { paused_until_ = std::max(paused_until_, now + wait); }

void LimitGroup::Refuse(BootTime now, RequestId id, const ServerHint& hint) {
  const std::optional<int64_t> tokens = Land(now, id, /*took_nothing=*/true);
  if (!tokens) return;
  learnt_ = true;
  Waiter waiter{id, *tokens};
  const Dimension dimension = hint.dimension.value_or(Dimension::kTokens);
  Limit* limit = Find(dimension);
  if (limit == nullptr && hint.limit && *hint.limit > 0 && dimension != Dimension::kConcurrency) {
    limits_.push_back({dimension,
                       Mirror(WindowKind::kContinuous, static_cast<double>(*hint.limit), std::chrono::minutes(1),
                              LimitSource::kRefusal),
                       false});
    limit = &limits_.back();
  }
  // The gate has said what it charges for this one.
  if (dimension == Dimension::kTokens && hint.requested && *hint.requested > 0) waiter.tokens = *hint.requested;
  if (limit != nullptr && (hint.dimension || hint.limit)) {
    limit->mirror.OnRefusal(now, hint.limit, hint.used);
    if (hint.retry_after) limit->mirror.CapSoThat(now, Amount(dimension, waiter.tokens), *hint.retry_after);
  }
  if (hint.retry_after) {
    refusals_without_hint_ = 0;
    Pause(now, *hint.retry_after);
  } else if (!hint.used) {
    Pause(now, std::min(kMostBlindPause, kFirstBlindPause * (1 << std::min(refusals_without_hint_, kMostDoublings))));
    ++refusals_without_hint_;
  }
  queue_.push_front(waiter);
}

void LimitGroup::Requeue(BootTime now, RequestId id, Settlement settlement) {
  if (const auto tokens = Land(now, id, settlement == Settlement::kNotSent)) queue_.push_front({id, *tokens});
}

void LimitGroup::Settle(BootTime now, RequestId id, Settlement settlement) {
  if (Land(now, id, settlement == Settlement::kNotSent) && settlement == Settlement::kCharged)
    refusals_without_hint_ = 0;
}

std::vector<std::pair<LimitGroup::RequestId, WaitEstimate>> LimitGroup::Forecast(BootTime now) const {
  std::vector<std::pair<RequestId, WaitEstimate>> estimates;
  estimates.reserve(queue_.size());
  Simulation simulation(*this, now);
  for (const Waiter& waiter : queue_) estimates.emplace_back(waiter.id, simulation.Next(waiter.tokens));
  return estimates;
}

std::optional<WaitEstimate> LimitGroup::WouldWait(BootTime now, int64_t tokens) const {
  if (NeverFits(tokens)) return std::nullopt;
  Simulation simulation(*this, now);
  for (const Waiter& waiter : queue_) simulation.Next(waiter.tokens);
  return simulation.Next(tokens);
}

int64_t LimitGroup::LargestAdmissible() const {
  int64_t largest = 0;
  for (const Limit& limit : limits_) {
    if (limit.dimension != Dimension::kTokens) continue;
    const auto size = static_cast<int64_t>(limit.mirror.gauge().limit());
    largest = largest == 0 ? size : std::min(largest, size);
  }
  return largest;
}

std::vector<LimitGroup::Level> LimitGroup::Levels(BootTime now) const {
  std::vector<Level> levels;
  for (const Limit& limit : limits_) {
    const Gauge& gauge = limit.mirror.gauge();
    levels.push_back({limit.dimension, static_cast<int64_t>(gauge.limit()), gauge.per(),
                      static_cast<int64_t>(std::floor(gauge.Level(now))), limit.mirror.source()});
  }
  if (concurrent_) {
    levels.push_back({Dimension::kConcurrency, *concurrent_, Duration::zero(),
                      *concurrent_ - static_cast<int64_t>(in_flight_.size()), LimitSource::kConfigured});
  }
  return levels;
}

bool LimitGroup::Contains(RequestId id) const {
  return in_flight_.contains(id) ||
         std::any_of(queue_.begin(), queue_.end(), [&](const Waiter& waiter) { return waiter.id == id; });
}

}  // namespace holdfast::quota
