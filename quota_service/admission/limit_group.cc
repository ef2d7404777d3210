#include "quota_service/admission/limit_group.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quota_service/admission/simulation.h"

namespace holdfast::quota {
namespace {

// A refusal that says nothing about time: 1 s, doubled each time in a row, at most a minute.
constexpr Duration kFirstBlindPause = std::chrono::seconds(1);
constexpr int kMostDoublings = 6;
constexpr Duration kMostBlindPause = std::chrono::minutes(1);

void Scale(const ForecastRecord::Ratios& ratios, WaitEstimate& estimate) {
  const double wait = ToSeconds(estimate.wait);
  estimate.wait = FromSeconds(wait * ratios.p50);
  estimate.least = FromSeconds(wait * ratios.p10);
  estimate.most = FromSeconds(wait * ratios.p90);
}

}  // namespace

LimitGroup::LimitGroup(LimitGroupOptions options) : name_(std::move(options.name)), concurrent_(options.concurrent) {
  for (const LimitSpec& spec : options.limits) {
    limits_.push_back(
        {spec.dimension, Mirror(spec.kind, static_cast<double>(spec.count), spec.per, LimitSource::kConfigured)});
  }
}

LimitGroup::Limit* LimitGroup::FindOrLearn(Dimension dimension, std::optional<int64_t> count,
                                           std::optional<Duration> window, LimitSource source) {
  constexpr int kSameCount = 2;
  constexpr int kSameWindow = 1;
  Limit* best = nullptr;
  int best_score = 0;
  for (Limit& limit : limits_) {
    if (limit.dimension != dimension) continue;
    const Gauge& gauge = limit.mirror.gauge();
    const int score = (count && gauge.limit() == static_cast<double>(*count) ? kSameCount : 0) +
                      (window == gauge.per() ? kSameWindow : 0);
    // Where nothing tells them apart it is the shortest window: that is what providers report.
    if (best == nullptr || score > best_score || (score == best_score && gauge.per() < best->mirror.gauge().per())) {
      best = &limit;
      best_score = score;
    }
  }
  const bool another = best_score == 0 && window;
  if ((best != nullptr && !another) || !count || *count <= 0) return best;
  limits_.push_back({dimension, Mirror(WindowKind::kContinuous, static_cast<double>(*count),
                                       window.value_or(std::chrono::minutes(1)), source)});
  return &limits_.back();
}

double LimitGroup::Cost(int64_t tokens) const {
  // While nothing is known: small beside what counts later, so that it gives nobody an advantage then.
  double cost = static_cast<double>(tokens) * 1e-6;
  for (const Limit& limit : limits_) {
    const Gauge& gauge = limit.mirror.gauge();
    cost = std::max(cost, Amount(limit.dimension, tokens) / gauge.limit() * ToSeconds(gauge.per()));
  }
  return cost;
}

void LimitGroup::Enqueue(BootTime now, RequestId id, int64_t tokens, const Flow& flow) {
  returns_.Came(now, flow);
  queue_.Push(flow, {id, tokens, Cost(tokens)});
  largest_waiting_ = std::max(largest_waiting_, tokens);
}

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

void LimitGroup::RejectTooLarge(std::vector<RequestId>& rejected) {
  if (!NeverFits(largest_waiting_)) return;
  std::erase_if(again_, [&](const Waiter& waiter) {
    if (!NeverFits(waiter.tokens)) return false;
    rejected.push_back(waiter.id);
    first_forecasts_.erase(waiter.id);
    return true;
  });
  for (const FairQueue::Waiter& waiter : queue_.Waiters()) {
    if (!NeverFits(waiter.tokens)) continue;
    rejected.push_back(waiter.id);
    first_forecasts_.erase(waiter.id);
    queue_.Erase(waiter.id);
  }
  largest_waiting_ = LargestAdmissible();
}

std::optional<int64_t> LimitGroup::HeadTokens() const {
  if (!again_.empty()) return again_.front().tokens;
  if (const FairQueue::Waiter* head = queue_.Head()) return head->tokens;
  return std::nullopt;
}

LimitGroup::Decision LimitGroup::Admit(BootTime now) {
  Decision decision;
  RejectTooLarge(decision.rejected);
  for (std::optional<int64_t> tokens = HeadTokens(); tokens && FitsNow(now, *tokens); tokens = HeadTokens()) {
    Waiter head{};
    if (again_.empty()) {
      head = {queue_.Head()->id, *tokens, next_turn_++, queue_.FlowOfHead()};
      queue_.Pop();
    } else {
      head = again_.front();
      again_.pop_front();
    }
    for (Limit& limit : limits_) limit.mirror.Send(now, head.id, Amount(limit.dimension, head.tokens));
    if (const auto first = first_forecasts_.extract(head.id)) {
      record_.Observe(first.mapped().wait, now - first.mapped().at);
    }
    in_flight_[head.id] = {head.tokens, head.turn, now, head.flow};
    decision.granted.push_back(head.id);
  }
  queue_.HoldHead();
  return decision;
}

std::optional<BootTime> LimitGroup::NextAdmission(BootTime now) const {
  if (NeverFits(largest_waiting_) && queued() > 0) return now;
  const std::optional<int64_t> tokens = HeadTokens();
  if (!tokens) return std::nullopt;
  if (!learnt_ && !in_flight_.empty()) return std::nullopt;
  if (concurrent_ && static_cast<int64_t>(in_flight_.size()) >= *concurrent_) return std::nullopt;
  BootTime when = std::max(now, paused_until_);
  for (const Limit& limit : limits_) {
    when = std::max(when, limit.mirror.gauge().WhenFits(now, Amount(limit.dimension, *tokens)));
  }
  return when;
}

bool LimitGroup::Leave(RequestId id) {
  first_forecasts_.erase(id);
  return queue_.Erase(id) || std::erase_if(again_, [&](const Waiter& waiter) { return waiter.id == id; }) > 0;
}

void LimitGroup::LearnLimit(BootTime now, RequestId id, Dimension dimension, const DimensionHeaders& headers) {
  const size_t known = limits_.size();
  Limit* limit = FindOrLearn(dimension, headers.limit, InferWindow(headers), LimitSource::kHeaders);
  if (limit == nullptr) return;
  if (limits_.size() > known) {
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

std::optional<LimitGroup::Waiter> LimitGroup::Land(BootTime now, RequestId id, bool took_nothing) {
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
  return Waiter{id, flight.tokens, flight.turn, flight.flow};
}

void LimitGroup::WaitAgain(const Waiter& waiter) {
  const auto later =
      std::find_if(again_.begin(), again_.end(), [&](const Waiter& other) { return other.turn > waiter.turn; });
  again_.insert(later, waiter);
  largest_waiting_ = std::max(largest_waiting_, waiter.tokens);
}

void LimitGroup::Pause(BootTime now, Duration wait) { paused_until_ = std::max(paused_until_, now + wait); }

void LimitGroup::LearnConcurrency(int64_t limit) {
  // A configured bound may be lower on purpose; the provider's word replaces only its own.
  if (limit <= 0 || (concurrent_ && concurrent_source_ == LimitSource::kConfigured && *concurrent_ <= limit)) return;
  concurrent_ = limit;
  concurrent_source_ = LimitSource::kRefusal;
}

void LimitGroup::Believe(BootTime now, const ServerHint& hint, int64_t tokens) {
  if (!hint.dimension) return;
  if (*hint.dimension == Dimension::kConcurrency) {
    if (hint.limit) LearnConcurrency(*hint.limit);
    return;
  }
  std::optional<Duration> window;
  if (hint.limit && *hint.limit > 0 && hint.used && hint.requested && hint.retry_after) {
    const auto limit = static_cast<double>(*hint.limit);
    const double missing = static_cast<double>(*hint.used) + static_cast<double>(*hint.requested) - limit;
    window = InferWindow(missing / limit, *hint.retry_after);
  }
  Limit* limit = FindOrLearn(*hint.dimension, hint.limit, window, LimitSource::kRefusal);
  if (limit == nullptr) return;
  limit->mirror.OnRefusal(now, hint.limit, hint.used);
  if (hint.retry_after) limit->mirror.CapSoThat(now, Amount(*hint.dimension, tokens), *hint.retry_after);
}

void LimitGroup::Refuse(BootTime now, RequestId id, const ServerHint& hint) {
  for (Limit& limit : limits_) limit.mirror.Refused(now, id);
  std::optional<Waiter> waiter = Land(now, id, /*took_nothing=*/true);
  if (!waiter) return;
  learnt_ = true;
  // The gate has said what it charges for this one.
  if (hint.dimension == Dimension::kTokens && hint.requested && *hint.requested > 0) waiter->tokens = *hint.requested;
  Believe(now, hint, waiter->tokens);
  if (hint.retry_after) Pause(now, *hint.retry_after);
  const bool says_when = hint.used || (hint.retry_after && *hint.retry_after > Duration::zero());
  if (says_when && !FitsNow(now, waiter->tokens)) {
    blind_pauses_ = 0;
  } else if (now >= paused_until_) {
    // Refusals of what was sent before a pause began are part of what it is for.
    Pause(now, std::min(kMostBlindPause, kFirstBlindPause * (1 << std::min(blind_pauses_, kMostDoublings))));
    ++blind_pauses_;
  }
  WaitAgain(*waiter);
}

void LimitGroup::Requeue(BootTime now, RequestId id, Settlement settlement) {
  if (const auto waiter = Land(now, id, settlement == Settlement::kNotSent)) WaitAgain(*waiter);
}

void LimitGroup::Settle(BootTime now, RequestId id, Settlement settlement) {
  const auto ended = Land(now, id, settlement == Settlement::kNotSent);
  if (!ended || settlement != Settlement::kCharged) return;
  blind_pauses_ = 0;
  returns_.Ended(now, ended->flow);
}

// Sessions come back: those under way now, and each that has had its turn in the forecast. One that comes back with
// probability p counts as one that comes back for sure with p of its tokens. `told` says whether to go on.
template <typename Told>
void LimitGroup::PlayForward(BootTime now, FairQueue queue, Told told) const {
  constexpr RequestId kExpected = 0;
  // Those who are not there yet are a guess; a bound keeps it cheap.
  const size_t most_expected = std::min<size_t>(20 * (queue.size() + in_flight_.size()), 2000);
  size_t expected = 0;
  const auto expect = [&](const Flow& flow, double tokens) {
    const auto returning = static_cast<int64_t>(tokens * returns_.rate());
    if (returning <= 0 || expected >= most_expected) return;
    ++expected;
    queue.Push(flow, {kExpected, returning, Cost(returning)});
  };
  Simulation simulation(*this, now);
  for (const Waiter& waiter : again_) {
    if (!told(waiter.id, simulation.Next(waiter.tokens))) return;
  }
  for (const auto& [id, flight] : in_flight_) expect(flight.flow, static_cast<double>(flight.tokens));
  while (const FairQueue::Waiter* head = queue.Head()) {
    const FairQueue::Waiter waiter = *head;
    const Flow flow = queue.FlowOfHead();
    queue.Pop();
    if (waiter.id == kExpected) {
      simulation.Expect(waiter.tokens);
    } else if (!told(waiter.id, simulation.Next(waiter.tokens))) {
      return;
    }
    expect(flow, static_cast<double>(waiter.tokens) / (waiter.id == kExpected ? returns_.rate() : 1));
  }
}

std::vector<std::pair<LimitGroup::RequestId, WaitEstimate>> LimitGroup::Forecast(BootTime now) {
  std::vector<std::pair<RequestId, WaitEstimate>> estimates;
  estimates.reserve(queued());
  const ForecastRecord::Ratios ratios = record_.ratios();
  PlayForward(now, queue_, [&](RequestId id, const WaitEstimate& estimate) {
    first_forecasts_.try_emplace(id, FirstForecast{now, estimate.wait});
    estimates.emplace_back(id, estimate);
    Scale(ratios, estimates.back().second);
    return estimates.size() < queued();
  });
  return estimates;
}

std::optional<WaitEstimate> LimitGroup::WouldWait(BootTime now, int64_t tokens, const Flow& flow) const {
  if (NeverFits(tokens)) return std::nullopt;
  constexpr RequestId kProbe = std::numeric_limits<RequestId>::max();
  FairQueue queue = queue_;
  queue.Push(flow, {kProbe, tokens, Cost(tokens)});
  WaitEstimate result;
  PlayForward(now, std::move(queue), [&](RequestId id, const WaitEstimate& estimate) {
    result = estimate;
    return id != kProbe;
  });
  Scale(record_.ratios(), result);
  return result;
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
                      *concurrent_ - static_cast<int64_t>(in_flight_.size()), concurrent_source_});
  }
  return levels;
}

bool LimitGroup::Contains(RequestId id) const {
  return in_flight_.contains(id) || queue_.Contains(id) ||
         std::any_of(again_.begin(), again_.end(), [&](const Waiter& waiter) { return waiter.id == id; });
}

}  // namespace holdfast::quota
