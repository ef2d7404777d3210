#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
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
  void Push(const Flow& flow, Waiter waiter);
  size_t size() const { return order_.size(); }
  bool Contains(RequestId id) const { return session_of_.contains(id); }
  void Age(BootTime now) { order_.Age(now); }
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

  // Of a session that waits or has anything under way.
  const std::string& SessionName(SessionId session) const { return *session_names_[session]; }
  const std::string& TenantName(SessionId session) const { return *tenants_[order_.TenantOf(session)].name; }
  std::vector<Waiter> Waiters() const;  // in no order
  // To play forward.
  const FairOrder& order() const { return order_; }
  // Adds to `order`, a copy of ours, a request of a flow that may be new.
  void PushTo(FairOrder& order, const Flow& flow, Waiter waiter) const;

 private:
  struct Tenant {
    const std::string* name = nullptr;
    absl::node_hash_map<std::string, SessionId> sessions;
  };
  void Tidy();

  FairOrder order_;
  absl::node_hash_map<std::string, FairOrder::TenantId> tenant_ids_;
  std::vector<Tenant> tenants_;                    // by id
  std::vector<const std::string*> session_names_;  // by id
  absl::flat_hash_map<RequestId, SessionId> session_of_;
  FairOrder::Forgotten forgotten_;
};

}  // namespace holdfast::quota
