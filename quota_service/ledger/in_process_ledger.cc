#include "quota_service/ledger/in_process_ledger.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::quota {
namespace {

// The queue is played forward at most this often, however many events there are.
constexpr Duration kForecastInterval = std::chrono::milliseconds(250);
// When a tenant's queue is full and nothing is known of its next turn.
constexpr Duration kLeastRetry = std::chrono::seconds(1);
constexpr Duration kExpiryCheck = std::chrono::seconds(5);
// Any model name makes a group; past this many, those that nobody uses are forgotten, with what was learnt.
constexpr size_t kMostGroups = 1000;

}  // namespace

struct InProcessLedger::Group {
  Group(LimitGroupOptions options, Loop& loop)
      : limits(std::move(options)), admission(loop.NewTimer()), forecast(loop.NewTimer()), expiry(loop.NewTimer()) {}

  LimitGroup limits;
  std::unique_ptr<Loop::Timer> admission;
  std::unique_ptr<Loop::Timer> forecast;
  std::unique_ptr<Loop::Timer> expiry;
  std::map<Ticket, Place*> places;
  std::map<std::string, BootTime, std::less<>> next_turns;  // by tenant, as forecast last
  BootTime last_forecast = BootTime::min();
  BootTime next_forecast = BootTime::max();  // when the timer will ring; max: it is not armed
  bool configured = false;
  bool wake_posted = false;
  bool expiry_armed = false;
};

InProcessLedger::InProcessLedger(Loop& loop, std::vector<LimitGroupOptions> groups, TenantPolicy tenants)
    : loop_(loop), tenants_(std::move(tenants)) {
  for (LimitGroupOptions& options : groups) {
    std::string name = options.name;
    auto group = std::make_unique<Group>(std::move(options), loop_);
    group->configured = true;
    groups_.emplace(std::move(name), std::move(group));
  }
}

InProcessLedger::~InProcessLedger() { *alive_ = false; }

InProcessLedger::Group& InProcessLedger::GroupOf(const std::string& name) {
  if (const auto found = groups_.find(name); found != groups_.end()) return *found->second;
  if (groups_.size() >= kMostGroups) {
    // Later: this may run inside a callback of a group that has just lost its last place.
    loop_.Post([this, alive = alive_] {
      if (*alive) ForgetIdleGroups();
    });
  }
  LimitGroupOptions options;
  options.name = name;
  return *groups_.emplace(name, std::make_unique<Group>(std::move(options), loop_)).first->second;
}

std::vector<LimitGroupState> InProcessLedger::Export() const {
  std::vector<LimitGroupState> states;
  for (const auto& [name, group] : groups_) {
    LimitGroupState state = group->limits.Export(loop_.Now());
    if (state.learnt || !state.limits.empty() || state.concurrent) states.push_back(std::move(state));
  }
  return states;
}

void InProcessLedger::Restore(const std::vector<LimitGroupState>& states, Duration age) {
  for (const LimitGroupState& state : states) {
    if (groups_.contains(state.name) || groups_.size() < kMostGroups) {
      GroupOf(state.name).limits.Restore(loop_.Now(), state, age);
    }
  }
}

void InProcessLedger::ForgetIdleGroups() {
  std::erase_if(groups_, [](const auto& entry) {
    return !entry.second->configured && !entry.second->wake_posted && entry.second->places.empty();
  });
}

void InProcessLedger::SetStage(Place& place, Stage stage) {
  if (place.stage == Stage::kWaiting) {
    const auto waiting = waiting_.find(place.flow.tenant);
    waiting->second.bytes -= place.bytes;
    if (--waiting->second.calls == 0) waiting_.erase(waiting);
  }
  if (stage == Stage::kWaiting) {
    Waiting& waiting = waiting_[place.flow.tenant];
    ++waiting.calls;
    waiting.bytes += place.bytes;
    place.estimate = WaitEstimate();
  }
  place.stage = stage;
  place.since = loop_.Now();
}

bool InProcessLedger::IsFull(const Place& place) const {
  const auto waiting = waiting_.find(place.flow.tenant);
  const Waiting has = waiting == waiting_.end() ? Waiting() : waiting->second;
  // One that is larger than all that may wait would never get in.
  const bool too_many_bytes = has.calls > 0 && place.bytes > tenants_.most_waiting_bytes - has.bytes;
  return has.calls >= tenants_.most_waiting || too_many_bytes;
}

void InProcessLedger::TurnAway(Ticket ticket) {
  const auto found = places_.find(ticket);
  if (found == places_.end()) return;
  const Place place = std::move(found->second);
  place.group->places.erase(ticket);
  places_.erase(found);
  const auto next = place.group->next_turns.find(place.flow.tenant);
  const Duration wait = next == place.group->next_turns.end() ? Duration::zero() : next->second - loop_.Now();
  const auto waiting = waiting_.find(place.flow.tenant);
  const Waiting has = waiting == waiting_.end() ? Waiting() : waiting->second;
  place.client->OnRejected(
      {.status = absl::ResourceExhaustedError(fmt::format(
           "tenant {} has {} calls of {} bytes waiting, and may have {} of {} bytes; this one has {} bytes",
           place.flow.tenant, has.calls, has.bytes, tenants_.most_waiting, tenants_.most_waiting_bytes, place.bytes)),
       .retry_after = std::max<Duration>(wait, kLeastRetry)});
}

InProcessLedger::Place* InProcessLedger::Granted(Ticket ticket) {
  const auto found = places_.find(ticket);
  return found != places_.end() && found->second.stage == Stage::kGranted ? &found->second : nullptr;
}

bool InProcessLedger::WaitAfterExpiry(Ticket ticket) {
  const auto found = places_.find(ticket);
  if (found == places_.end() || found->second.stage != Stage::kExpired) return false;
  Place& place = found->second;
  SetStage(place, Stage::kWaiting);
  place.announcer = Announcer();
  place.group->limits.Enqueue(loop_.Now(), ticket, place.need, place.flow);
  Wake(*place.group);
  return true;
}

Flow InProcessLedger::FlowOf(const Demand& demand) const {
  const auto weight = tenants_.weights.find(demand.tenant);
  return {demand.tenant, demand.session, weight == tenants_.weights.end() ? 1 : weight->second, demand.background};
}

Ledger::Ticket InProcessLedger::Enqueue(Demand demand, LedgerClient* client) {
  const Ticket ticket = next_ticket_++;
  Group& group = GroupOf(demand.group);
  Place& place = places_[ticket];
  place.group = &group;
  place.client = client;
  place.need = demand.need;
  place.bytes = demand.bytes;
  place.flow = FlowOf(demand);
  group.places[ticket] = &place;
  if (IsFull(place)) {
    loop_.Post([this, ticket, alive = alive_] {
      if (*alive) TurnAway(ticket);
    });
    return ticket;
  }
  SetStage(place, Stage::kWaiting);
  group.limits.Enqueue(loop_.Now(), ticket, place.need, place.flow);
  Wake(group);
  return ticket;
}

void InProcessLedger::Cancel(Ticket ticket) {
  const auto found = places_.find(ticket);
  if (found == places_.end()) return;
  Group& group = *found->second.group;
  if (found->second.stage == Stage::kWaiting) {
    group.limits.Leave(ticket);
    SetStage(found->second, Stage::kTurnedAway);
  } else {
    group.limits.Settle(loop_.Now(), ticket, Settlement::kNotSent);
  }
  group.places.erase(ticket);
  places_.erase(found);
  Wake(group);
}

void InProcessLedger::Renew(Ticket ticket) {
  if (Place* place = Granted(ticket)) place->expires = loop_.Now() + kGrantLifetime;
}

void InProcessLedger::Calibrate(Ticket ticket, const RateLimitHeaders& headers) {
  if (Place* place = Granted(ticket)) {
    place->group->limits.OnHeaders(loop_.Now(), ticket, headers);
    Wake(*place->group);
  }
}

void InProcessLedger::Refuse(Ticket ticket, const ServerHint& hint) {
  if (WaitAfterExpiry(ticket)) return;
  if (Place* place = Granted(ticket)) {
    SetStage(*place, Stage::kWaiting);
    place->announcer = Announcer();
    place->group->limits.Refuse(loop_.Now(), ticket, hint);
    Wake(*place->group);
  }
}

void InProcessLedger::Requeue(Ticket ticket, Settlement settlement) {
  if (WaitAfterExpiry(ticket)) return;
  if (Place* place = Granted(ticket)) {
    SetStage(*place, Stage::kWaiting);
    place->announcer = Announcer();
    place->group->limits.Requeue(loop_.Now(), ticket, settlement);
    Wake(*place->group);
  }
}

void InProcessLedger::Settle(Ticket ticket, Settlement settlement, const std::optional<Tokens>& actual) {
  const auto found = places_.find(ticket);
  if (found == places_.end() || (found->second.stage != Stage::kGranted && found->second.stage != Stage::kExpired))
    return;
  Group& group = *found->second.group;
  group.limits.Settle(loop_.Now(), ticket, settlement, actual);
  group.places.erase(ticket);
  places_.erase(found);
  Wake(group);
}

void InProcessLedger::Wake(Group& group) {
  if (group.wake_posted) return;
  group.wake_posted = true;
  loop_.Post([this, &group, alive = alive_] {
    if (!*alive) return;
    group.wake_posted = false;
    Serve(group);
  });
}

void InProcessLedger::Serve(Group& group) {
  const BootTime now = loop_.Now();
  const LimitGroup::Decision decision = group.limits.Admit(now);
  const int64_t largest = group.limits.LargestAdmissible();

  // A client may cancel any ticket from inside its callback, so each is looked up again.
  for (const Ticket ticket : decision.granted) {
    Place& place = places_.at(ticket);
    SetStage(place, Stage::kGranted);
    place.expires = now + kGrantLifetime;
  }
  for (const Ticket ticket : decision.rejected) {
    const auto found = places_.find(ticket);
    if (found == places_.end()) continue;
    LedgerClient* client = found->second.client;
    const std::string why = group.limits.WhyNever(found->second.need);
    SetStage(found->second, Stage::kTurnedAway);
    group.places.erase(ticket);
    places_.erase(found);
    client->OnRejected(
        {.status = absl::FailedPreconditionError("the request can never be sent: " + why), .largest = largest});
  }
  for (const Ticket ticket : decision.granted) {
    if (const Place* place = Granted(ticket)) place->client->OnGranted();
  }

  if (const auto next = group.limits.NextAdmission(now)) {
    group.admission->ArmAt(*next, [this, &group] { Serve(group); });
  } else {
    group.admission->Disarm();
  }
  if (group.limits.in_flight() > 0 && !group.expiry_armed) {
    group.expiry_armed = true;
    group.expiry->ArmAt(now + kExpiryCheck, [this, &group] { Expire(group); });
  }
  if (group.limits.queued() == 0) return;
  if (group.last_forecast == BootTime::min() || group.last_forecast + kForecastInterval <= now) {
    Tell(group);
  } else {
    TellAt(group, group.last_forecast + kForecastInterval);
  }
}

void InProcessLedger::TellAt(Group& group, BootTime when) {
  if (group.next_forecast <= when) return;
  group.next_forecast = when;
  group.forecast->ArmAt(when, [this, &group] {
    group.next_forecast = BootTime::max();
    Tell(group);
  });
}

void InProcessLedger::Tell(Group& group) {
  const BootTime now = loop_.Now();
  group.last_forecast = now;
  bool pending = false;
  group.next_turns.clear();
  for (const auto& [ticket, estimate] : group.limits.Forecast(now)) {
    const auto found = places_.find(ticket);
    if (found == places_.end() || found->second.stage != Stage::kWaiting) continue;
    group.next_turns.emplace(found->second.flow.tenant, now + estimate.wait);
    found->second.estimate = estimate;
    found->second.estimated_at = now;
    if (estimate.reason == WaitEstimate::Reason::kNone) continue;
    if (found->second.announcer.ShouldTell(now, estimate)) {
      found->second.client->OnWaiting(estimate);
    } else {
      pending = true;
    }
  }
  // Someone was told less than a second ago; what has changed since is told when the second is over.
  if (pending) TellAt(group, now + std::chrono::seconds(1));
}

void InProcessLedger::Expire(Group& group) {
  const BootTime now = loop_.Now();
  group.expiry_armed = false;
  for (const auto& [ticket, place] : group.places) {
    if (place->stage != Stage::kGranted || place->expires > now) continue;
    SetStage(*place, Stage::kExpired);
    group.limits.Settle(now, ticket, Settlement::kCharged);
  }
  Serve(group);
}

void InProcessLedger::GetHeadroom(const Demand& demand, absl::AnyInvocable<void(absl::StatusOr<Headroom>)> done) {
  loop_.Post([this, demand, alive = alive_, done = std::move(done)]() mutable {
    if (!*alive) return;
    const auto found = groups_.find(demand.group);
    if (found == groups_.end()) {
      done(Headroom{});
      return;
    }
    const LimitGroup& limits = found->second->limits;
    const BootTime now = loop_.Now();
    Headroom headroom;
    headroom.largest = limits.LargestAdmissible();
    headroom.limits_known = limits.limits_known();
    headroom.levels = limits.Levels(now);
    if (const auto estimate = limits.WouldWait(now, demand.need, FlowOf(demand))) {
      headroom.estimate = *estimate;
    } else {
      headroom.never_fits = true;
    }
    done(std::move(headroom));
  });
}

void InProcessLedger::GetLimits(const std::string& group, absl::AnyInvocable<void(LimitsState)> done) {
  loop_.Post([this, group, alive = alive_, done = std::move(done)]() mutable {
    if (!*alive) return;
    const auto found = groups_.find(group);
    if (found == groups_.end()) return done({});
    const LimitGroup& limits = found->second->limits;
    done({limits.LargestAdmissible(), limits.limits_known(), limits.Levels(loop_.Now())});
  });
}

void InProcessLedger::GetGroups(absl::AnyInvocable<void(std::vector<GroupState>)> done) {
  loop_.Post([this, alive = alive_, done = std::move(done)]() mutable {
    if (!*alive) return;
    const BootTime now = loop_.Now();
    std::vector<GroupState> states;
    for (const auto& [name, group] : groups_) {
      states.push_back({name, group->limits.Levels(now), group->limits.queued(), group->limits.in_flight()});
    }
    done(std::move(states));
  });
}

QueueState InProcessLedger::QueueOf(const Group& group, const std::optional<std::string>& tenant, size_t most) const {
  const BootTime now = loop_.Now();
  QueueState state;
  state.group = group.limits.name();
  const auto wait = group.limits.WouldWait(now, 0);
  if (wait) state.wait = wait->wait;
  std::vector<const Place*> asked_for;
  for (const auto& [ticket, place] : group.places) {
    const bool waits = place->stage == Stage::kWaiting && place->estimate.position > 0;
    if (waits && (!tenant || place->flow.tenant == *tenant)) asked_for.push_back(place);
  }
  state.visible = asked_for.size();
  const auto end = asked_for.begin() + static_cast<ptrdiff_t>(std::min(most, asked_for.size()));
  std::partial_sort(asked_for.begin(), end, asked_for.end(),
                    [](const Place* a, const Place* b) { return a->estimate.position < b->estimate.position; });
  for (auto place = asked_for.begin(); place != end; ++place) {
    WaitEstimate estimate = (*place)->estimate;
    const Duration passed = now - (*place)->estimated_at;
    for (Duration* part : {&estimate.wait, &estimate.least, &estimate.most}) {
      *part = std::max(Duration::zero(), *part - passed);
    }
    state.waiters.push_back({(*place)->flow.tenant, (*place)->flow.session, estimate, now - (*place)->since});
  }
  return state;
}

void InProcessLedger::GetQueues(std::optional<std::string> tenant, size_t most,
                                absl::AnyInvocable<void(std::vector<QueueState>)> done) {
  loop_.Post([this, tenant = std::move(tenant), most, alive = alive_, done = std::move(done)]() mutable {
    if (!*alive) return;
    std::vector<QueueState> states;
    for (const auto& [name, group] : groups_) states.push_back(QueueOf(*group, tenant, most));
    done(std::move(states));
  });
}

}  // namespace holdfast::quota
