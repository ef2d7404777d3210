#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "quota_service/admission/idle_list.h"
#include "quota_service/admission/need.h"
#include "quota_service/admission/tag_heap.h"

namespace holdfast::quota {

// Start-time fair queueing (Goyal, Vin, Cheng 1996) in two levels: tenants by weight, and within a tenant its sessions;
// within a session first come, first served. Whoever waits keeps a start tag, which grows with what it was served; the
// least start tag is next.
//
// Who is new begins one request of its own behind virtual time. At virtual time itself, as in the original, sessions
// that are new each time, as those of CI jobs, would forever go before one that has been served already. (Letting
// virtual time run with the work done, as WF2Q+ has it, is no remedy: a session that has one request at a time, as
// agents have, would lose what it is behind whenever it comes back.)
//
// Within a tenant, background requests wait until nothing interactive does, and count as interactive once they have
// waited for kAge: with the tag that they have had since they came, so that they are soon next.
//
// Sessions and tenants are numbers here (FairQueue knows their names). A copy costs no more than its bytes: forecasts
// play one forward.
class FairOrder {
 public:
  using RequestId = uint64_t;
  using SessionId = uint32_t;
  using TenantId = uint32_t;
  static constexpr Duration kAge = std::chrono::minutes(2);

  struct Waiter {
    RequestId id = 0;
    Need need;
    double cost = 0;  // at least 0, in any unit that is the same for all
    BootTime since{};
    bool background = false;
  };

  // Weights are positive.
  TenantId AddTenant(double weight);
  void SetWeight(TenantId tenant, double weight) { tenants_[tenant].weight = weight; }
  SessionId AddSession(TenantId tenant);
  TenantId TenantOf(SessionId session) const { return sessions_[session].tenant; }

  // A session that was forgotten begins as a new one, as long as its number has not been used again.
  void Push(SessionId session, const Waiter& waiter);
  size_t size() const { return size_; }
  // Those who have waited long enough by `now` count as interactive.
  void Age(BootTime now);
  // Somebody waits.
  SessionId Head() const { return held_ ? *held_ : Next(); }
  const Waiter& First(SessionId session) const { return entries_[firsts_[session]]; }
  // Who is the head now stays it until it goes or leaves: nobody passes a large request for which tokens gather. Only
  // what is interactive passes its own tenant's background.
  void HoldHead() {
    if (size_ > 0 && !held_) held_ = Next();
  }
  // The first of a session goes, and its flow is charged for it; it is under way until Landed.
  void Serve(SessionId session);
  // False: it does not wait in that session.
  bool Erase(SessionId session, RequestId id);
  // A request of the session that was under way took `difference` more than its cost, and is over.
  void Landed(SessionId session, double difference);

  // Sessions and tenants that owe nothing and wait for nothing: gone, their numbers are used again. Sessions first.
  // Each change looks at a few of the idle ones, so that it costs the same however many there are.
  struct Forgotten {
    std::vector<SessionId> sessions;
    std::vector<TenantId> tenants;
  };
  bool HasForgotten() const { return !forgotten_.sessions.empty() || !forgotten_.tenants.empty(); }
  void TakeForgotten(Forgotten* forgotten);

  // Calls visit(session, waiter) for everybody, in no order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (SessionId session = 0; session < sessions_.size(); ++session) {
      for (uint32_t entry = firsts_[session]; entry != kNone; entry = entries_[entry].next) {
        visit(session, static_cast<const Waiter&>(entries_[entry]));
      }
    }
  }

  // Calls change(need) for everybody who waits. Places and costs stay.
  template <typename Change>
  void ChangeNeeds(Change change) {
    for (uint32_t first : firsts_) {
      for (uint32_t entry = first; entry != kNone; entry = entries_[entry].next) change(entries_[entry].need);
    }
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // What tenants and sessions have among their like.
  struct Tag {
    double start = 0;    // while anybody waits
    double finish = 0;   // start + service / weight
    uint32_t since = 0;  // of arrivals_
    uint32_t under_way = 0;
    IdleList::Links idle;  // while nobody waits and nothing is under way
    bool alive = false;

    // Nothing is left of what it was served before: it begins as one that nobody knows.
    bool owes_nothing(double virtual_time) const { return under_way == 0 && finish <= virtual_time; }
  };
  struct Session : Tag {
    TenantId tenant = 0;
    uint32_t last = kNone;    // entry, while it waits
    bool background = false;  // the heap that it is in
  };
  struct Tenant : Tag {
    double weight = 1;
    double virtual_time = 0;
    TagHeap interactive;
    TagHeap background;
    IdleList idle_sessions;

    bool waits() const { return !interactive.empty() || !background.empty(); }
    bool idles() const { return !waits() && under_way == 0; }
  };
  struct Entry : Waiter {
    Entry() = default;
    explicit Entry(const Waiter& waiter) : Waiter(waiter) {}
    uint32_t next = kNone;
  };

  SessionId Next() const;
  bool Waits(SessionId session) const { return firsts_[session] != kNone; }
  void Revive(SessionId index);
  void StartWaiting(SessionId index);
  void StopWaiting(SessionId index);
  void Enter(SessionId index);
  void Leave(SessionId index);
  void Retag(SessionId index);
  void RetagTenant(TenantId index);
  uint32_t Unlink(SessionId session, RequestId id);
  void FreeEntry(uint32_t entry);
  void StopIdling(SessionId index);
  void MayIdle(SessionId index);
  void ForgetSession(SessionId index);
  // What its sessions owe they owe to each other: nothing, once nobody else waits for what the tenant had.
  void ForgetSessionsOf(TenantId index);
  void ForgetSome(TenantId owner);

  auto SessionPlaces() {
    return [this](uint32_t who) -> uint32_t& { return session_places_[who]; };
  }
  auto TenantPlaces() {
    return [this](uint32_t who) -> uint32_t& { return tenant_places_[who]; };
  }
  auto SessionLinks() {
    return [this](uint32_t who) -> IdleList::Links& { return sessions_[who].idle; };
  }
  auto TenantLinks() {
    return [this](uint32_t who) -> IdleList::Links& { return tenants_[who].idle; };
  }

  std::vector<Tenant> tenants_;
  std::vector<Session> sessions_;
  // By session, apart from the rest, since decisions touch those of many sessions: the first entry, and the places in
  // the heaps.
  std::vector<uint32_t> firsts_;
  std::vector<uint32_t> tenant_places_;
  std::vector<uint32_t> session_places_;
  std::vector<Entry> entries_;
  std::vector<TenantId> free_tenants_;
  std::vector<SessionId> free_sessions_;
  uint32_t free_entry_ = kNone;
  TagHeap waiting_;  // tenants
  IdleList idle_tenants_;
  double virtual_time_ = 0;
  std::deque<std::pair<BootTime, std::pair<SessionId, RequestId>>> ageing_;  // background requests as they came
  std::optional<SessionId> held_;
  uint32_t arrivals_ = 0;  // modulo 2^32
  size_t size_ = 0;
  Forgotten forgotten_;
};

}  // namespace holdfast::quota
