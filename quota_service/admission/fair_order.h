#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/clock.h"
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
    bool background = false;
    BootTime since{};
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
  const Waiter& First(SessionId session) const { return entries_[sessions_[session].first].waiter; }
  // Who is the head now stays it until it goes or leaves: nobody passes a large request for which tokens gather.
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
  struct Forgotten {
    std::vector<SessionId> sessions;
    std::vector<TenantId> tenants;
  };
  void TakeForgotten(Forgotten* forgotten);

  // Calls visit(session, waiter) for everybody, in no order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (SessionId session = 0; session < sessions_.size(); ++session) {
      for (uint32_t entry = sessions_[session].first; entry != kNone; entry = entries_[entry].next) {
        visit(session, entries_[entry].waiter);
      }
    }
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // What tenants and sessions have among their like.
  struct Tag {
    double start = 0;   // while anybody waits
    double finish = 0;  // start + service / weight
    uint64_t since = 0;
    uint32_t place = kNone;  // in the heap, while anybody waits
    bool is_new = true;
    bool alive = false;
  };
  struct Session : Tag {
    TenantId tenant = 0;
    uint32_t first = kNone;
    uint32_t last = kNone;
    uint32_t under_way = 0;
    bool background = false;  // the heap that it is in

    bool waits() const { return first != kNone; }
  };
  using Idle = std::priority_queue<std::pair<double, uint32_t>, std::vector<std::pair<double, uint32_t>>,
                                   std::greater<std::pair<double, uint32_t>>>;  // by finish; may be stale
  struct Tenant : Tag {
    double weight = 1;
    double virtual_time = 0;
    TagHeap interactive;
    TagHeap background;
    Idle idle;
    uint32_t sessions = 0;

    bool waits() const { return !interactive.empty() || !background.empty(); }
  };
  struct Entry {
    Waiter waiter;
    uint32_t next = kNone;
  };

  SessionId Next() const;
  void Revive(SessionId index);
  void StartWaiting(SessionId index);
  void StopWaiting(SessionId index);
  void Enter(SessionId index);
  void Leave(SessionId index);
  void Retag(SessionId index);
  void RetagTenant(TenantId index);
  uint32_t Unlink(Session& session, RequestId id);
  void FreeEntry(uint32_t entry);
  void Idles(SessionId index);
  // Idle ones whose finish is at most `until`.
  void ForgetSessions(TenantId owner, double until);
  void Forget(TenantId owner);

  auto SessionPlaces() {
    return [this](uint32_t who) -> uint32_t& { return sessions_[who].place; };
  }
  auto TenantPlaces() {
    return [this](uint32_t who) -> uint32_t& { return tenants_[who].place; };
  }

  std::vector<Tenant> tenants_;
  std::vector<Session> sessions_;
  std::vector<Entry> entries_;
  std::vector<TenantId> free_tenants_;
  std::vector<SessionId> free_sessions_;
  uint32_t free_entry_ = kNone;
  TagHeap waiting_;  // tenants
  Idle idle_;        // tenants
  double virtual_time_ = 0;
  std::deque<std::pair<BootTime, std::pair<SessionId, RequestId>>> ageing_;  // background requests as they came
  std::optional<SessionId> held_;
  uint64_t arrivals_ = 0;
  size_t size_ = 0;
  Forgotten forgotten_;
};

}  // namespace holdfast::quota
