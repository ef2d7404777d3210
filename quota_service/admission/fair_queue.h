#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/container/node_hash_map.h"
#include "absl/hash/hash.h"
#include "quota_service/admission/fair_order.h"

namespace holdfast::quota {

// Whose request it is, for fairness.
struct Flow {
  std::string tenant;
  std::string session;
  double weight = 1;        // the tenant's share against the others', positive; the latest one holds
  bool background = false;  // nobody looks at it: it goes after what somebody waits for
};

// Who waits, in the order of FairOrder, by the names of their tenants and sessions.
class FairQueue {
 public:
  using RequestId = FairOrder::RequestId;
  using SessionId = FairOrder::SessionId;
  using Waiter = FairOrder::Waiter;

  // `waiter.background` is the flow's.
  SessionId Push(const Flow& flow, Waiter waiter);
  size_t size() const { return order_.size(); }
  bool Contains(RequestId id) const { return session_of_.contains(id); }
  void Age(BootTime now) { order_.Age(now); }
  // Those that wait, have anything under way, or owe something still; a few more are not forgotten yet.
  size_t known_sessions() const { return by_hash_.size(); }
  // Null: nobody waits. Valid until the next change.
  const Waiter* Head() const { return size() == 0 ? nullptr : &order_.First(order_.Head()); }
  // Somebody waits.
  SessionId SessionOfHead() const { return order_.Head(); }
  void HoldHead() { order_.HoldHead(); }
  // The first waiter of a session that waits goes; its session is kept until Landed.
  void Serve(SessionId session);
  // False: it does not wait.
  bool Erase(RequestId id);
  // A served request is over, and took `difference` more than its cost.
  void Landed(SessionId session, double difference);

  // A hash of the names of tenant and session, of a session that waits or has anything under way.
  uint64_t HashOf(SessionId session) const { return hashes_[session]; }
  std::vector<Waiter> Waiters() const;  // in no order
  // As of FairOrder.
  template <typename Change>
  void ChangeNeeds(Change change) {
    order_.ChangeNeeds(change);
  }
  // To play forward.
  const FairOrder& order() const { return order_; }
  // Adds to `order`, a copy of ours, a request of a flow that may be new.
  void PushTo(FairOrder& order, const Flow& flow, Waiter waiter) const;

 private:
  static constexpr SessionId kNone = ~SessionId{0};
  // Short names are kept in place: a look at one is a look at one line of a cache.
  struct alignas(64) Session {
    bool Is(const Flow& flow) const {
      return name.size() == flow.session.size() && std::equal(name.begin(), name.end(), flow.session.begin()) &&
             *tenant == flow.tenant;
    }

    absl::InlinedVector<char, 40> name;
    const std::string* tenant = nullptr;
    SessionId next = kNone;  // of those whose names have the same hash
  };
  static uint64_t Hash(const Flow& flow) { return absl::HashOf(flow.tenant, flow.session); }
  static uint32_t LowerHalf(uint64_t hash) { return static_cast<uint32_t>(hash); }
  // kNone: there is none.
  SessionId Find(const Flow& flow, uint64_t hash) const;
  SessionId FindOrAdd(const Flow& flow);
  void ForgetName(SessionId session);
  void Tidy();

  FairOrder order_;
  absl::node_hash_map<std::string, FairOrder::TenantId> tenant_ids_;
  std::vector<const std::string*> tenant_names_;      // by id
  absl::flat_hash_map<uint32_t, SessionId> by_hash_;  // by the lower half, for less memory
  std::vector<Session> sessions_;                     // by id
  std::vector<uint64_t> hashes_;                      // by id
  absl::flat_hash_map<RequestId, SessionId> session_of_;
  FairOrder::Forgotten forgotten_;
};

}  // namespace holdfast::quota
