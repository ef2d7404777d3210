#include "tests/fakes/fake_ledger.h"

namespace holdfast::quota {

class FakeLedger::Place final : public LedgerClient {
 public:
  Place(FakeLedger* ledger, Ticket ticket, LedgerClient* client) : ledger_(ledger), ticket_(ticket), client_(client) {}

  void OnGranted() override {
    Later([](FakeLedger&, Place& place) {
      place.granted = true;
      place.client_->OnGranted();
    });
  }
  void OnWaiting(const WaitEstimate& estimate) override {
    Later([estimate](FakeLedger&, Place& place) { place.client_->OnWaiting(estimate); });
  }
  void OnRejected(const Rejection& rejection) override {
    Later([rejection](FakeLedger& ledger, Place& place) {
      LedgerClient* const client = place.client_;
      ledger.places_.erase(place.ticket_);
      client->OnRejected(rejection);
    });
  }

  Ticket inner = 0;
  bool granted = false;

 private:
  template <typename Answer>
  void Later(Answer answer) {
    ledger_->Later([ledger = ledger_, ticket = ticket_, answer = std::move(answer)] {
      if (const auto found = ledger->places_.find(ticket); found != ledger->places_.end()) {
        answer(*ledger, *found->second);
      }
    });
  }

  FakeLedger* ledger_;
  Ticket ticket_;
  LedgerClient* client_;
};

FakeLedger::FakeLedger(Loop& loop, std::vector<LimitGroupOptions> groups, Duration delay, TenantPolicy tenants)
    : loop_(loop), inner_(loop, std::move(groups), std::move(tenants)), delay_(delay), timer_(loop.NewTimer()) {}

FakeLedger::~FakeLedger() = default;

void FakeLedger::Later(Loop::Task answer) {
  answers_.emplace_back(loop_.Now() + delay_, std::move(answer));
  if (answers_.size() == 1) {
    timer_->ArmAt(answers_.front().first, [this] { RunDue(); });
  }
}

void FakeLedger::RunDue() {
  while (!answers_.empty() && answers_.front().first <= loop_.Now()) {
    Loop::Task answer = std::move(answers_.front().second);
    answers_.pop_front();
    answer();
  }
  if (!answers_.empty()) {
    timer_->ArmAt(answers_.front().first, [this] { RunDue(); });
  }
}

FakeLedger::Place* FakeLedger::Granted(Ticket ticket) {
  const auto found = places_.find(ticket);
  return found != places_.end() && found->second->granted ? found->second.get() : nullptr;
}

Ledger::Ticket FakeLedger::Enqueue(Demand demand, LedgerClient* client) {
  const Ticket ticket = next_ticket_++;
  Place& place = *places_.emplace(ticket, std::make_unique<Place>(this, ticket, client)).first->second;
  if (rejections_left_ > 0) {
    --rejections_left_;
    place.OnRejected({.status = absl::UnavailableError("the ledger cannot be reached")});
  } else {
    place.inner = inner_.Enqueue(std::move(demand), &place);
  }
  return ticket;
}

void FakeLedger::Cancel(Ticket ticket) {
  const auto found = places_.find(ticket);
  if (found == places_.end()) return;
  inner_.Cancel(found->second->inner);
  places_.erase(found);
}

void FakeLedger::Renew(Ticket ticket) {
  if (const Place* place = Granted(ticket)) inner_.Renew(place->inner);
}

void FakeLedger::Calibrate(Ticket ticket, const RateLimitHeaders& headers) {
  if (const Place* place = Granted(ticket)) inner_.Calibrate(place->inner, headers);
}

void FakeLedger::Refuse(Ticket ticket, const ServerHint& hint) {
  if (Place* place = Granted(ticket)) {
    place->granted = false;
    inner_.Refuse(place->inner, hint);
  }
}

void FakeLedger::Requeue(Ticket ticket, Settlement settlement) {
  if (Place* place = Granted(ticket)) {
    place->granted = false;
    inner_.Requeue(place->inner, settlement);
  }
}

void FakeLedger::Settle(Ticket ticket, Settlement settlement, const std::optional<Tokens>& actual) {
  if (const Place* place = Granted(ticket)) {
    inner_.Settle(place->inner, settlement, actual);
    places_.erase(ticket);
  }
}

void FakeLedger::GetHeadroom(const Demand& demand, absl::AnyInvocable<void(absl::StatusOr<Headroom>)> done) {
  inner_.GetHeadroom(demand, [this, done = std::move(done)](absl::StatusOr<Headroom> headroom) mutable {
    Later([headroom = std::move(headroom), done = std::move(done)]() mutable { done(std::move(headroom)); });
  });
}

void FakeLedger::GetGroups(absl::AnyInvocable<void(std::vector<GroupState>)> done) {
  inner_.GetGroups([this, done = std::move(done)](std::vector<GroupState> groups) mutable {
    Later([groups = std::move(groups), done = std::move(done)]() mutable { done(std::move(groups)); });
  });
}

void FakeLedger::GetLimits(const std::string& group, absl::AnyInvocable<void(LimitsState)> done) {
  inner_.GetLimits(group, [this, done = std::move(done)](LimitsState limits) mutable {
    Later([limits = std::move(limits), done = std::move(done)]() mutable { done(std::move(limits)); });
  });
}

void FakeLedger::GetQueues(std::optional<std::string> tenant, size_t most,
                           absl::AnyInvocable<void(std::vector<QueueState>)> done) {
  inner_.GetQueues(std::move(tenant), most, [this, done = std::move(done)](std::vector<QueueState> queues) mutable {
    Later([queues = std::move(queues), done = std::move(done)]() mutable { done(std::move(queues)); });
  });
}

}  // namespace holdfast::quota
