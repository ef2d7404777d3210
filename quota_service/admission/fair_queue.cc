#include "quota_service/admission/fair_queue.h"

namespace holdfast::quota {
namespace {

template <typename T>
T& At(std::vector<T>& of, uint32_t index) {
  if (of.size() <= index) of.resize(index + 1);
  return of[index];
}

}  // namespace

void FairQueue::Push(const Flow& flow, Waiter waiter) {
  const auto [tenant, new_tenant] = tenant_ids_.try_emplace(flow.tenant, 0);
  if (new_tenant) {
    tenant->second = order_.AddTenant(flow.weight);
    At(tenants_, tenant->second) = {&tenant->first, {}};
  } else {
    order_.SetWeight(tenant->second, flow.weight);
  }
  const auto [session, new_session] = tenants_[tenant->second].sessions.try_emplace(flow.session, 0);
  if (new_session) {
    session->second = order_.AddSession(tenant->second);
    At(session_names_, session->second) = &session->first;
  }
  waiter.background = flow.background;
  session_of_[waiter.id] = session->second;
  order_.Push(session->second, waiter);
}

void FairQueue::PushTo(FairOrder& order, const Flow& flow, Waiter waiter) const {
  waiter.background = flow.background;
  const auto tenant = tenant_ids_.find(flow.tenant);
  if (tenant == tenant_ids_.end()) {
    order.Push(order.AddSession(order.AddTenant(flow.weight)), waiter);
    return;
  }
  const auto& sessions = tenants_[tenant->second].sessions;
  const auto session = sessions.find(flow.session);
  order.Push(session == sessions.end() ? order.AddSession(tenant->second) : session->second, waiter);
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
  forgotten_.sessions.clear();
  forgotten_.tenants.clear();
  order_.TakeForgotten(&forgotten_);
  for (const SessionId session : forgotten_.sessions) {
    tenants_[order_.TenantOf(session)].sessions.erase(*session_names_[session]);
    session_names_[session] = nullptr;
  }
  for (const FairOrder::TenantId tenant : forgotten_.tenants) {
    tenant_ids_.erase(*tenants_[tenant].name);
    tenants_[tenant] = {};
  }
}

std::vector<FairQueue::Waiter> FairQueue::Waiters() const {
  std::vector<Waiter> waiters;
  waiters.reserve(size());
  order_.ForEach([&](SessionId, const Waiter& waiter) { waiters.push_back(waiter); });
  return waiters;
}

}  // namespace holdfast::quota
