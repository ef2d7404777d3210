#include "quota_service/admission/fair_queue.h"

namespace holdfast::quota {
namespace {

template <typename T>
T& At(std::vector<T>& of, uint32_t index) {
  if (of.size() <= index) of.resize(index + 1);
  return of[index];
}

}  // namespace

FairQueue::SessionId FairQueue::Find(const Flow& flow, uint64_t hash) const {
  const auto found = by_hash_.find(LowerHalf(hash));
  if (found == by_hash_.end()) return kNone;
  SessionId session = found->second;
  while (session != kNone && !sessions_[session].Is(flow)) session = sessions_[session].next;
  return session;
}

FairQueue::SessionId FairQueue::FindOrAdd(const Flow& flow) {
  const uint64_t hash = Hash(flow);
  if (const SessionId known = Find(flow, hash); known != kNone) {
    order_.SetWeight(order_.TenantOf(known), flow.weight);
    return known;
  }
  const auto [tenant, is_new] = tenant_ids_.try_emplace(flow.tenant, 0);
  if (is_new) {
    tenant->second = order_.AddTenant(flow.weight);
    At(tenant_names_, tenant->second) = &tenant->first;
  } else {
    order_.SetWeight(tenant->second, flow.weight);
  }
  const SessionId id = order_.AddSession(tenant->second);
  Session& session = At(sessions_, id);
  session.name.assign(flow.session.begin(), flow.session.end());
  session.tenant = &tenant->first;
  At(hashes_, id) = hash;
  SessionId& first = by_hash_.try_emplace(LowerHalf(hash), kNone).first->second;
  session.next = first;
  first = id;
  return id;
}

void FairQueue::ForgetName(SessionId session) {
  const auto first = by_hash_.find(LowerHalf(hashes_[session]));
  SessionId* link = &first->second;
  while (*link != session) link = &sessions_[*link].next;
  *link = sessions_[session].next;
  if (first->second == kNone) by_hash_.erase(first);
  Session& gone = sessions_[session];
  gone.name.clear();
  gone.name.shrink_to_fit();
  gone.tenant = nullptr;
  gone.next = kNone;
}

FairQueue::SessionId FairQueue::Push(const Flow& flow, Waiter waiter) {
  session_of_.prefetch(waiter.id);  // its place there is in no cache, and nothing is known of the flow yet
  const SessionId session = FindOrAdd(flow);
  waiter.background = flow.background;
  session_of_[waiter.id] = session;
  order_.Push(session, waiter);
  Tidy();
  return session;
}

void FairQueue::PushTo(FairOrder& order, const Flow& flow, Waiter waiter) const {
  waiter.background = flow.background;
  if (const SessionId session = Find(flow, Hash(flow)); session != kNone) {
    order.Push(session, waiter);
    return;
  }
  const auto tenant = tenant_ids_.find(flow.tenant);
  order.Push(order.AddSession(tenant == tenant_ids_.end() ? order.AddTenant(flow.weight) : tenant->second), waiter);
}

void FairQueue::Serve(SessionId session) {
  session_of_.erase(order_.First(session).id);
  order_.Serve(session);
  Tidy();
}

bool FairQueue::Erase(RequestId id) {
  const auto found = session_of_.find(id);
  if (found == session_of_.end()) return false;
  order_.Erase(found->second, id);
  session_of_.erase(found);
  Tidy();
  return true;
}

void FairQueue::Landed(SessionId session, double difference) {
  order_.Landed(session, difference);
  Tidy();
}

void FairQueue::Tidy() {
  if (!order_.HasForgotten()) return;
  forgotten_.sessions.clear();
  forgotten_.tenants.clear();
  order_.TakeForgotten(&forgotten_);
  for (const SessionId session : forgotten_.sessions) ForgetName(session);
  for (const FairOrder::TenantId tenant : forgotten_.tenants) {
    tenant_ids_.erase(*tenant_names_[tenant]);
    tenant_names_[tenant] = nullptr;
  }
}

std::vector<FairQueue::Waiter> FairQueue::Waiters() const {
  std::vector<Waiter> waiters;
  waiters.reserve(size());
  order_.ForEach([&](SessionId, const Waiter& waiter) { waiters.push_back(waiter); });
  return waiters;
}

}  // namespace holdfast::quota
