#include "quota_service/admission/fair_order.h"

#include <algorithm>
#include <limits>

namespace holdfast::quota {

FairOrder::TenantId FairOrder::AddTenant(double weight) {
  TenantId index = static_cast<TenantId>(tenants_.size());
  if (free_tenants_.empty()) {
    tenants_.emplace_back();
  } else {
    index = free_tenants_.back();
    free_tenants_.pop_back();
    tenants_[index] = Tenant();
  }
  Tenant& tenant = tenants_[index];
  tenant.weight = weight;
  // It ends, as it were, at virtual time: if it leaves unserved, nothing of it stays.
  tenant.finish = virtual_time_;
  tenant.alive = true;
  return index;
}

FairOrder::SessionId FairOrder::AddSession(TenantId tenant) {
  SessionId index = static_cast<SessionId>(sessions_.size());
  if (free_sessions_.empty()) {
    sessions_.emplace_back();
  } else {
    index = free_sessions_.back();
    free_sessions_.pop_back();
    sessions_[index] = Session();
  }
  sessions_[index].tenant = tenant;
  sessions_[index].finish = tenants_[tenant].virtual_time;
  sessions_[index].alive = true;
  ++tenants_[tenant].sessions;
  return index;
}

void FairOrder::Push(SessionId index, const Waiter& waiter) {
  uint32_t entry = free_entry_;
  if (entry == kNone) {
    entry = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    free_entry_ = entries_[entry].next;
  }
  entries_[entry] = {waiter, kNone};
  ++size_;
  if (waiter.background) ageing_.push_back({waiter.since + kAge, {index, waiter.id}});
  Session& session = sessions_[index];
  if (!session.alive) Revive(index);
  if (session.waits()) {
    entries_[session.last].next = entry;
    session.last = entry;
    return;
  }
  session.first = session.last = entry;
  StartWaiting(index);
}

void FairOrder::Revive(SessionId index) {
  Session& session = sessions_[index];
  Tenant& tenant = tenants_[session.tenant];
  if (!tenant.alive) {
    tenant.alive = tenant.is_new = true;
    tenant.finish = virtual_time_;
  }
  session.alive = session.is_new = true;
  session.finish = tenant.virtual_time;
  ++tenant.sessions;
}

void FairOrder::StartWaiting(SessionId index) {
  Session& session = sessions_[index];
  Tenant& tenant = tenants_[session.tenant];
  const double cost = First(index).cost;
  const bool tenant_waited = tenant.waits();
  session.start = std::max(tenant.virtual_time, session.finish) + (session.is_new ? cost : 0);
  session.since = arrivals_++;
  session.is_new = false;
  Enter(index);
  if (tenant_waited) return;
  tenant.start = std::max(virtual_time_, tenant.finish) + (tenant.is_new ? cost / tenant.weight : 0);
  tenant.since = arrivals_++;
  tenant.is_new = false;
  waiting_.Push({tenant.start, tenant.since, session.tenant}, TenantPlaces());
}

void FairOrder::Enter(SessionId index) {
  Session& session = sessions_[index];
  Tenant& tenant = tenants_[session.tenant];
  session.background = First(index).background;
  (session.background ? tenant.background : tenant.interactive)
      .Push({session.start, session.since, index}, SessionPlaces());
}

void FairOrder::Leave(SessionId index) {
  Session& session = sessions_[index];
  Tenant& tenant = tenants_[session.tenant];
  (session.background ? tenant.background : tenant.interactive).Remove(session.place, SessionPlaces());
}

void FairOrder::Retag(SessionId index) {
  Session& session = sessions_[index];
  if (session.background != First(index).background) {
    Leave(index);
    Enter(index);
    return;
  }
  Tenant& tenant = tenants_[session.tenant];
  (session.background ? tenant.background : tenant.interactive)
      .Replace(session.place, {session.start, session.since, index}, SessionPlaces());
}

void FairOrder::RetagTenant(TenantId index) {
  const Tenant& tenant = tenants_[index];
  waiting_.Replace(tenant.place, {tenant.start, tenant.since, index}, TenantPlaces());
}

void FairOrder::StopWaiting(SessionId index) {
  Leave(index);
  Idles(index);
  const TenantId owner = sessions_[index].tenant;
  Tenant& tenant = tenants_[owner];
  if (tenant.waits()) return;
  waiting_.Remove(tenant.place, TenantPlaces());
  idle_.emplace(tenant.finish, owner);
}

void FairOrder::Idles(SessionId index) {
  const Session& session = sessions_[index];
  if (session.under_way == 0) tenants_[session.tenant].idle.emplace(session.finish, index);
}

FairOrder::SessionId FairOrder::Next() const {
  const Tenant& tenant = tenants_[waiting_.top().who];
  return (tenant.interactive.empty() ? tenant.background : tenant.interactive).top().who;
}

void FairOrder::Age(BootTime now) {
  while (!ageing_.empty() && ageing_.front().first <= now) {
    const auto [index, id] = ageing_.front().second;
    ageing_.pop_front();
    Session& session = sessions_[index];
    if (!session.alive) continue;
    for (uint32_t entry = session.first; entry != kNone; entry = entries_[entry].next) {
      if (entries_[entry].waiter.id != id) continue;
      entries_[entry].waiter.background = false;
      if (entry == session.first) Retag(index);
      break;
    }
  }
}

void FairOrder::Serve(SessionId index) {
  if (held_ == index) held_.reset();
  Session& session = sessions_[index];
  const TenantId owner = session.tenant;
  Tenant& tenant = tenants_[owner];
  const double cost = First(index).cost;
  FreeEntry(Unlink(session, First(index).id));
  ++session.under_way;
  tenant.virtual_time = std::max(tenant.virtual_time, session.start);
  session.finish = session.start + cost;
  virtual_time_ = std::max(virtual_time_, tenant.start);
  tenant.finish = tenant.start + cost / tenant.weight;
  if (session.waits()) {
    session.start = session.finish;
    Retag(index);
    tenant.start = tenant.finish;
    RetagTenant(owner);
  } else {
    StopWaiting(index);
    if (tenants_[owner].waits()) {
      tenant.start = tenant.finish;
      RetagTenant(owner);
    }
  }
  Forget(owner);
}

bool FairOrder::Erase(SessionId index, RequestId id) {
  Session& session = sessions_[index];
  const uint32_t first = session.first;
  const uint32_t entry = Unlink(session, id);
  if (entry == kNone) return false;
  FreeEntry(entry);
  if (entry != first) return true;
  if (held_ == index) held_.reset();
  const TenantId owner = session.tenant;
  if (session.waits()) {
    Retag(index);
  } else {
    StopWaiting(index);
  }
  Forget(owner);
  return true;
}

void FairOrder::Landed(SessionId index, double difference) {
  Session& session = sessions_[index];
  const TenantId owner = session.tenant;
  Tenant& tenant = tenants_[owner];
  --session.under_way;
  if (difference != 0) {
    session.finish += difference;
    tenant.finish += difference / tenant.weight;
    if (session.waits()) {
      session.start = std::max(tenant.virtual_time, session.start + difference);
      Retag(index);
    }
    if (tenant.waits()) {
      tenant.start = std::max(virtual_time_, tenant.start + difference / tenant.weight);
      RetagTenant(owner);
    }
  }
  if (!session.waits()) Idles(index);
  if (!tenant.waits()) idle_.emplace(tenant.finish, owner);
  Forget(owner);
}

uint32_t FairOrder::Unlink(Session& session, RequestId id) {
  uint32_t before = kNone;
  uint32_t entry = session.first;
  while (entry != kNone && entries_[entry].waiter.id != id) {
    before = entry;
    entry = entries_[entry].next;
  }
  if (entry == kNone) return kNone;
  (before == kNone ? session.first : entries_[before].next) = entries_[entry].next;
  if (session.last == entry) session.last = before;
  return entry;
}

void FairOrder::FreeEntry(uint32_t entry) {
  entries_[entry].next = free_entry_;
  free_entry_ = entry;
  --size_;
}

void FairOrder::ForgetSessions(TenantId owner, double until) {
  Tenant& tenant = tenants_[owner];
  for (; !tenant.idle.empty() && tenant.idle.top().first <= until; tenant.idle.pop()) {
    const auto [finish, index] = tenant.idle.top();
    Session& session = sessions_[index];
    const bool idle = session.alive && session.tenant == owner && !session.waits() && session.under_way == 0;
    if (!idle || session.finish != finish) continue;
    session.alive = false;
    --tenant.sessions;
    forgotten_.sessions.push_back(index);
  }
}

void FairOrder::Forget(TenantId owner) {
  ForgetSessions(owner, tenants_[owner].virtual_time);
  for (; !idle_.empty() && idle_.top().first <= virtual_time_; idle_.pop()) {
    const auto [finish, index] = idle_.top();
    Tenant& tenant = tenants_[index];
    if (!tenant.alive || tenant.waits() || tenant.finish != finish) continue;
    // What its sessions owe they owe to each other. Those under way keep it; it comes back here when they land.
    ForgetSessions(index, std::numeric_limits<double>::infinity());
    if (tenant.sessions > 0) continue;
    tenant.alive = false;
    forgotten_.tenants.push_back(index);
  }
}

void FairOrder::TakeForgotten(Forgotten* forgotten) {
  forgotten->sessions.swap(forgotten_.sessions);
  forgotten->tenants.swap(forgotten_.tenants);
  free_sessions_.insert(free_sessions_.end(), forgotten->sessions.begin(), forgotten->sessions.end());
  free_tenants_.insert(free_tenants_.end(), forgotten->tenants.begin(), forgotten->tenants.end());
}

}  // namespace holdfast::quota
