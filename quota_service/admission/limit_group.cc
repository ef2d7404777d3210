#include "quota_service/admission/limit_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/duration_text.h"

namespace holdfast::quota {
namespace {

// A refusal that says nothing about time: 1 s, doubled each time in a row, at most a minute.
constexpr Duration kFirstBlindPause = std::chrono::seconds(1);
constexpr int kMostDoublings = 6;
constexpr Duration kMostBlindPause = std::chrono::minutes(1);

}  // namespace

LimitGroup::LimitGroup(LimitGroupOptions options) : name_(std::move(options.name)), concurrent_(options.concurrent) {
  for (const LimitSpec& spec : options.limits) {
    const auto count = static_cast<double>(spec.count);
    limits_.push_back({spec.dimension, Mirror(spec.kind, count, spec.per, LimitSource::kConfigured, spec.slack)});
    if (spec.dimension != Dimension::kRequests || spec.span <= Duration::zero() || spec.span >= spec.per) continue;
    // A bucket of the same rate. Half a span's requests at once: those that catch up with each other on their way
    // arrive as no more than a span allows.
    const double share = 0.5 * ToSeconds(spec.span) / ToSeconds(spec.per);
    const double burst = std::max(1.0, count * share);
    limits_.push_back({spec.dimension,
                       Mirror(WindowKind::kContinuous, burst, FromSeconds(burst / count * ToSeconds(spec.per)),
                              LimitSource::kConfigured),
                       limits_.size() - 1, burst / count});
  }
}

void LimitGroup::FollowSizes(BootTime now) {
  for (Limit& limit : limits_) {
    if (limit.of) limit.mirror.Resize(now, std::max(1.0, limits_[*limit.of].mirror.gauge().limit() * limit.share));
  }
}

LimitGroup::Limit* LimitGroup::FindOrLearn(Dimension dimension, std::optional<int64_t> count,
                                           std::optional<Duration> window, LimitSource source) {
  constexpr int kSameCount = 2;
  constexpr int kSameWindow = 1;
  Limit* best = nullptr;
  int best_score = 0;
  for (Limit& limit : limits_) {
    if (limit.dimension != dimension || limit.of) continue;
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

double LimitGroup::Cost(const Tokens& tokens) const {
  // While nothing is known: small beside what counts later, so that it gives nobody an advantage then.
  double cost = static_cast<double>(tokens.total) * 1e-6;
  for (const Limit& limit : limits_) {
    const Gauge& gauge = limit.mirror.gauge();
    cost = std::max(cost, AmountOf(limit.dimension, tokens) / gauge.rate());
  }
  return cost;
}

void LimitGroup::Enqueue(BootTime now, RequestId id, const Need& asked, const Flow& flow) {
  const Need need = Fitted(asked);
  const SessionId session = queue_.Push(
      flow, {.id = id, .need = need, .cost = Cost(need.charge), .since = now, .background = flow.background});
  returns_.Came(now, queue_.HashOf(session));
  largest_waiting_ = Larger(largest_waiting_, need.charge);
}

bool LimitGroup::NeverFits(const Tokens& charge) const {
  return std::any_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
    return limit.dimension != Dimension::kRequests && AmountOf(limit.dimension, charge) > limit.mirror.gauge().limit();
  });
}

Need LimitGroup::Fitted(Need need) const {
  if (need.guessed <= 0) return need;
  for (const Limit& limit : limits_) {
    const auto size = static_cast<int64_t>(limit.mirror.gauge().limit());
    if (limit.dimension != Dimension::kTokens && limit.dimension != Dimension::kInputTokens) continue;
    const auto excess = static_cast<int64_t>(AmountOf(limit.dimension, need.charge)) - size;
    if (excess <= 0 || excess > need.guessed) continue;
    // Total and input are charged for the same tokens.
    need.guessed -= excess;
    need.charge.total = std::max<int64_t>(0, need.charge.total - excess);
    need.charge.input = std::max<int64_t>(0, need.charge.input - excess);
  }
  return need;
}

std::string LimitGroup::WhyNever(const Need& asked) const {
  const Need need = Fitted(asked);
  for (const Limit& limit : limits_) {
    const Gauge& gauge = limit.mirror.gauge();
    const auto size = static_cast<int64_t>(AmountOf(limit.dimension, need.charge));
    const auto most = static_cast<int64_t>(gauge.limit());
    if (limit.dimension == Dimension::kRequests || size <= most) continue;
    return fmt::format("its {} {} are more than the limit of {}, {} per {}: at most {} fit", size,
                       limit.dimension == Dimension::kInputTokens    ? "input tokens"
                       : limit.dimension == Dimension::kOutputTokens ? "output tokens"
                                                                     : "tokens",
                       name_, most, FormatDuration(gauge.per()), most);
  }
  return "";
}

bool LimitGroup::Closed(BootTime now) const {
  return now < paused_until_ || (!learnt_ && !in_flight_.empty()) ||
         (concurrent_ && static_cast<int64_t>(in_flight_.size()) >= *concurrent_);
}

bool LimitGroup::FitsNow(BootTime now, const Need& need) const {
  return !Closed(now) &&
         std::all_of(limits_.begin(), limits_.end(), [&](const Limit& limit) { return limit.Fits(now, need); });
}

void LimitGroup::RejectTooLarge(std::vector<RequestId>& rejected) {
  if (!NeverFits(largest_waiting_)) return;
  largest_waiting_ = {};
  for (Waiter& waiter : again_) waiter.served.need = Fitted(waiter.served.need);
  queue_.ChangeNeeds([this](Need& need) { need = Fitted(need); });
  std::erase_if(again_, [&](const Waiter& waiter) {
    if (!NeverFits(waiter.served.need.charge)) {
      largest_waiting_ = Larger(largest_waiting_, waiter.served.need.charge);
      return false;
    }
    rejected.push_back(waiter.id);
    first_forecasts_.erase(waiter.id);
    queue_.Landed(waiter.served.session, -waiter.served.cost);
    return true;
  });
  for (const FairQueue::Waiter& waiter : queue_.Waiters()) {
    if (!NeverFits(waiter.need.charge)) {
      largest_waiting_ = Larger(largest_waiting_, waiter.need.charge);
      continue;
    }
    rejected.push_back(waiter.id);
    first_forecasts_.erase(waiter.id);
    queue_.Erase(waiter.id);
  }
}

const Need* LimitGroup::HeadNeed() const {
  if (!again_.empty()) return &again_.front().served.need;
  const FairQueue::Waiter* head = queue_.Head();
  return head == nullptr ? nullptr : &head->need;
}

void LimitGroup::Grant(BootTime now, RequestId id, const Served& served, Decision& decision) {
  for (Limit& limit : limits_) {
    limit.mirror.Send(now, id, AmountOf(limit.dimension, served.need.charge),
                      AmountOf(limit.dimension, served.need.most));
  }
  if (const auto first = first_forecasts_.find(id); first != first_forecasts_.end()) {
    record_.Observe(first->second.wait, first->second.told, now - first->second.at);
    first_forecasts_.erase(first);
  }
  in_flight_.insert_or_assign(id, served).first->second.since = now;
  decision.granted.push_back(id);
}

void LimitGroup::GrantFromQueue(BootTime now, SessionId session, Decision& decision) {
  const FairQueue::Waiter waiter = queue_.order().First(session);
  queue_.Serve(session);
  Grant(now, waiter.id,
        {.need = waiter.need,
         .turn = next_turn_++,
         .since = now,
         .session = session,
         .cost = waiter.cost,
         .background = waiter.background},
        decision);
}

LimitGroup::Decision LimitGroup::Admit(BootTime now) {
  Decision decision;
  RejectTooLarge(decision.rejected);
  queue_.Age(now);
  for (const Need* need = HeadNeed(); need != nullptr && FitsNow(now, *need); need = HeadNeed()) {
    if (again_.empty()) {
      GrantFromQueue(now, queue_.SessionOfHead(), decision);
    } else {
      const Waiter head = again_.front();
      again_.pop_front();
      Grant(now, head.id, head.served, decision);
    }
  }
  queue_.HoldHead();
  Probe(now, decision);
  Backfill(now, decision);
  return decision;
}

const LimitGroup::Limit* LimitGroup::ToProbe(BootTime now, const Need& need) const {
  // Less than this may be the mirror's own lag.
  constexpr double kClearly = 0.1;
  if (Closed(now)) return nullptr;
  const Limit* found = nullptr;
  for (const Limit& limit : limits_) {
    const Gauge& gauge = limit.mirror.gauge();
    if (limit.Fits(now, need)) continue;
    const double charge = AmountOf(limit.dimension, need.charge);
    const bool may = limit.dimension == Dimension::kTokens && limit.mirror.kind() == WindowKind::kContinuous &&
                     charge - gauge.Level(now) >= kClearly * gauge.limit();
    if (!may || found != nullptr) return nullptr;
    found = &limit;
  }
  return found;
}

void LimitGroup::Probe(BootTime now, Decision& decision) {
  if (!again_.empty() || queue_.size() == 0 || !prober_.Due(now) || ToProbe(now, *HeadNeed()) == nullptr) return;
  const SessionId session = queue_.SessionOfHead();
  prober_.Sent(now, queue_.order().First(session).id);
  GrantFromQueue(now, session, decision);
  queue_.HoldHead();
}

void LimitGroup::Backfill(BootTime now, Decision& decision) {
  const bool any_fixed = std::any_of(limits_.begin(), limits_.end(),
                                     [](const Limit& limit) { return limit.mirror.kind() == WindowKind::kFixed; });
  const Need* head = HeadNeed();
  if (!any_fixed || head == nullptr || queue_.size() == 0 || Closed(now)) return;
  for (const Limit& limit : limits_) {
    if (!limit.Fits(now, *head) && limit.mirror.kind() != WindowKind::kFixed) return;
  }
  // What is taken now must not be missing when the head's moment comes. Of the windows that keep it waiting nothing is:
  // they are whole again by then. The other limits must have room for both.
  const Need first = *head;
  const auto leaves_head_its_room = [&](const Need& need) {
    return std::all_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
      if (!limit.Fits(now, first)) return true;
      return limit.mirror.Fits(now, AmountOf(limit.dimension, first.charge) + AmountOf(limit.dimension, need.charge),
                               AmountOf(limit.dimension, first.most) + AmountOf(limit.dimension, need.most));
    });
  };
  constexpr int kMostTried = 64;
  FairOrder order = queue_.order();
  const auto place_left_for_head = [&] {
    return !concurrent_ || static_cast<int64_t>(in_flight_.size()) + 1 < *concurrent_;
  };
  for (int tried = 0; tried < kMostTried && order.size() > 0 && place_left_for_head(); ++tried) {
    const SessionId session = order.Head();
    const FairQueue::Waiter waiter = order.First(session);
    order.Serve(session);
    // Of a session that has one before it in the queue, only the first may go.
    if (queue_.order().First(session).id == waiter.id && FitsNow(now, waiter.need) &&
        leaves_head_its_room(waiter.need)) {
      GrantFromQueue(now, session, decision);
    }
  }
}

std::optional<BootTime> LimitGroup::NextAdmission(BootTime now) const {
  if (NeverFits(largest_waiting_) && queued() > 0) return now;
  const Need* need = HeadNeed();
  if (need == nullptr) return std::nullopt;
  BootTime when = std::max(now, paused_until_);
  if (Closed(when)) return std::nullopt;
  for (const Limit& limit : limits_) when = std::max(when, limit.WhenFits(now, *need));
  if (const auto probe = prober_.next(); probe && again_.empty() && *probe < when) {
    const BootTime then = std::max(now, *probe);
    if (then > now && ToProbe(then, *need) != nullptr) return then;
  }
  if (when == BootTime::max()) return std::nullopt;
  return when;
}

bool LimitGroup::Leave(RequestId id) {
  first_forecasts_.erase(id);
  if (queue_.Erase(id)) return true;
  const auto found = std::find_if(again_.begin(), again_.end(), [&](const Waiter& waiter) { return waiter.id == id; });
  if (found == again_.end()) return false;
  queue_.Landed(found->served.session, -found->served.cost);
  again_.erase(found);
  return true;
}

void LimitGroup::LearnLimit(BootTime now, RequestId id, Dimension dimension, const DimensionHeaders& headers) {
  const size_t known = limits_.size();
  Limit* limit = FindOrLearn(dimension, headers.limit, InferWindow(headers), LimitSource::kHeaders);
  if (limit == nullptr) return;
  if (limits_.size() > known) {
    // What went before this limit was known is charged by the level that the headers tell.
    for (const Waiter& other : InFlightByTurn()) {
      const Need& need = other.served.need;
      limit->mirror.Send(now, other.id, AmountOf(dimension, need.charge), AmountOf(dimension, need.most));
    }
  }
  limit->mirror.OnHeaders(now, id, headers);
  FollowSizes(now);
}

void LimitGroup::OnHeaders(BootTime now, RequestId id, const RateLimitHeaders& headers) {
  if (!in_flight_.contains(id)) return;
  for (const Dimension dimension :
       {Dimension::kTokens, Dimension::kInputTokens, Dimension::kOutputTokens, Dimension::kRequests}) {
    LearnLimit(now, id, dimension, headers.Of(dimension));
  }
  prober_.OnAnswer(headers.tokens.remaining || headers.input_tokens.remaining);
  learnt_ = true;
}

std::vector<LimitGroup::Waiter> LimitGroup::InFlightByTurn() const {
  std::vector<Waiter> flights;
  flights.reserve(in_flight_.size());
  for (const auto& [id, served] : in_flight_) flights.push_back({id, served});
  std::sort(flights.begin(), flights.end(),
            [](const Waiter& a, const Waiter& b) { return a.served.turn < b.served.turn; });
  return flights;
}

std::optional<LimitGroup::Served> LimitGroup::Land(BootTime now, RequestId id, Settlement settlement,
                                                   const std::optional<Tokens>& actual) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) return std::nullopt;
  const Served served = found->second;
  in_flight_.erase(found);
  const bool took_nothing = settlement == Settlement::kNotSent;
  for (Limit& limit : limits_) {
    if (took_nothing) {
      limit.mirror.Return(now, id);
    } else {
      const bool counts = actual && limit.dimension != Dimension::kRequests;
      limit.mirror.Settle(now, id, counts ? std::optional(AmountOf(limit.dimension, *actual)) : std::nullopt);
    }
  }
  constexpr double kGain = 0.2;
  const double seconds = ToSeconds(mean_duration_);
  if (!took_nothing) mean_duration_ = FromSeconds(seconds + kGain * (ToSeconds(now - served.since) - seconds));
  return served;
}

void LimitGroup::WaitAgain(RequestId id, const Served& served) {
  const auto later =
      std::find_if(again_.begin(), again_.end(), [&](const Waiter& other) { return other.served.turn > served.turn; });
  again_.insert(later, Waiter{id, served});
  largest_waiting_ = Larger(largest_waiting_, served.need.charge);
}

void LimitGroup::Pause(BootTime now, Duration wait) { paused_until_ = std::max(paused_until_, now + wait); }

void LimitGroup::LearnConcurrency(int64_t limit) {
  // A configured bound may be lower on purpose; the provider's word replaces only its own.
  if (limit <= 0 || (concurrent_ && concurrent_source_ == LimitSource::kConfigured && *concurrent_ <= limit)) return;
  concurrent_ = limit;
  concurrent_source_ = LimitSource::kRefusal;
}

void LimitGroup::Believe(BootTime now, const ServerHint& hint, const Tokens& charge) {
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
  FollowSizes(now);
  if (hint.retry_after) limit->mirror.CapSoThat(now, AmountOf(*hint.dimension, charge), *hint.retry_after);
}

void LimitGroup::Refuse(BootTime now, RequestId id, const ServerHint& hint) {
  for (Limit& limit : limits_) limit.mirror.Refused(now, id);
  std::optional<Served> served = Land(now, id, Settlement::kNotSent, std::nullopt);
  if (!served) return;
  learnt_ = true;
  prober_.Refused(now, id);
  Tokens& charge = served->need.charge;
  if (hint.requested && *hint.requested > 0) {
    // The gate has said what it charges for this one.
    if (hint.dimension == Dimension::kTokens) charge.total = *hint.requested;
    if (hint.dimension == Dimension::kInputTokens) charge.input = *hint.requested;
    if (hint.dimension == Dimension::kOutputTokens) charge.output = *hint.requested;
    served->need.most = Larger(served->need.most, charge);
    served->need.guessed = 0;
  }
  Believe(now, hint, charge);
  if (hint.dimension == Dimension::kTokens && !hint.limit && !hint.used) {
    for (Limit& limit : limits_) {
      if (limit.dimension == Dimension::kTokens) limit.mirror.OnBareRefusal(now);
    }
  }
  if (hint.retry_after) Pause(now, *hint.retry_after);
  const bool says_when = hint.used || (hint.retry_after && *hint.retry_after > Duration::zero());
  if (says_when && !FitsNow(now, served->need)) {
    blind_pauses_ = 0;
  } else if (now >= paused_until_) {
    // Refusals of what was sent before a pause began are part of what it is for.
    Pause(now, std::min(kMostBlindPause, kFirstBlindPause * (1 << std::min(blind_pauses_, kMostDoublings))));
    ++blind_pauses_;
  }
  WaitAgain(id, *served);
}

void LimitGroup::Requeue(BootTime now, RequestId id, Settlement settlement) {
  prober_.NotSent(id);
  if (const auto served = Land(now, id, settlement, std::nullopt)) WaitAgain(id, *served);
}

void LimitGroup::Settle(BootTime now, RequestId id, Settlement settlement, const std::optional<Tokens>& actual) {
  const auto ended = Land(now, id, settlement, actual);
  if (!ended) return;
  double difference = 0;
  if (settlement == Settlement::kNotSent) {
    prober_.NotSent(id);
    difference = -ended->cost;
  } else {
    blind_pauses_ = 0;
    if (prober_.Taken(now, id)) {
      for (Limit& limit : limits_) {
        if (limit.dimension == Dimension::kTokens) limit.mirror.OnProbeTaken(now);
      }
    }
    returns_.Ended(now, queue_.HashOf(ended->session));
    if (actual) difference = Cost(*actual) - ended->cost;
  }
  queue_.Landed(ended->session, difference);
}

int64_t LimitGroup::LargestAdmissible() const {
  int64_t largest = 0;
  for (const Limit& limit : limits_) {
    if (limit.dimension != Dimension::kTokens && limit.dimension != Dimension::kInputTokens) continue;
    const auto size = static_cast<int64_t>(limit.mirror.gauge().limit());
    largest = largest == 0 ? size : std::min(largest, size);
  }
  return largest;
}

std::vector<LimitGroup::Level> LimitGroup::Levels(BootTime now) const {
  std::vector<Level> levels;
  for (const Limit& limit : limits_) {
    if (limit.of) continue;
    const Gauge& gauge = limit.mirror.gauge();
    levels.push_back({limit.dimension, static_cast<int64_t>(gauge.limit()), gauge.per(),
                      static_cast<int64_t>(std::floor(gauge.Level(now))), limit.mirror.source(),
                      static_cast<int64_t>(std::min(limit.mirror.Margin(now), gauge.limit()))});
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
