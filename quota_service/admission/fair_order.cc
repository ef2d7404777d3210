#include "quota_service/admission/fair_order.h"

#include <algorithm>

namespace holdfast::quota {

FairOrder::TenantId FairOrder::AddTenant(double weight) {
  TenantId index = static_cast<TenantId>(tenants_.size());
  if (free_tenants_.empty()) {
    tenants_.emplace_back();
    tenant_places_.push_back(kNone);
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
    session_places_.push_back(kNone);
    firsts_.push_back(kNone);
  } else {
    index = free_sessions_.back();
    free_sessions_.pop_back();
    sessions_[index] = Session();
  }
  sessions_[index].tenant = tenant;
  sessions_[index].finish = tenants_[tenant].virtual_time;
  sessions_[index].alive = true;
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
  entries_[entry] = Entry(waiter);
  ++size_;
  if (waiter.background) ageing_.push_back({waiter.since + kAge, {index, waiter.id}});
  Session& session = sessions_[index];
  if (!session.alive) Revive(index);
  if (Waits(index)) {
    entries_[session.last].next = entry;
    session.last = entry;
    return;
  }
  firsts_[index] = session.last = entry;
  StartWaiting(index);
}

void FairOrder::Revive(SessionId index) {
  Session& session = sessions_[index];
  Tenant& tenant = tenants_[session.tenant];
  if (!tenant.alive) {
    tenant.alive = true;
    tenant.finish = virtual_time_;
  }
  session.alive = true;
  session.finish = tenant.virtual_time;
}

void FairOrder::StartWaiting(SessionId index) {
  Session& session = sessions_[index];
  const TenantId owner = session.tenant;
  Tenant& tenant = tenants_[owner];
  const double cost = First(index).cost;
  StopIdling(index);
  const bool tenant_waited = tenant.waits();
  const bool new_tenant = !tenant_waited && tenant.owes_nothing(virtual_time_);
  if (new_tenant) {
    ForgetSessionsOf(owner);
    session.finish = tenant.virtual_time;
  }
  const bool new_session = session.owes_nothing(tenant.virtual_time);
  session.start = std::max(tenant.virtual_time, session.finish) + (new_session ? cost : 0);
  session.since = arrivals_++;
  Enter(index);
  const bool passes_held =
      held_ && !session.background && sessions_[*held_].tenant == owner && sessions_[*held_].background;
  if (passes_held) held_.reset();
  if (tenant_waited) return;
  tenant.start = std::max(virtual_time_, tenant.finish) + (new_tenant ? cost / tenant.weight : 0);
  tenant.since = arrivals_++;
  waiting_.Push({tenant.start, tenant.since, owner}, TenantPlaces());
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
  (session.background ? tenant.background : tenant.interactive).Remove(session_places_[index], SessionPlaces());
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
      .Replace(session_places_[index], {session.start, session.since, index}, SessionPlaces());
}

void FairOrder::RetagTenant(TenantId index) {
  const Tenant& tenant = tenants_[index];
  waiting_.Replace(tenant_places_[index], {tenant.start, tenant.since, index}, TenantPlaces());
}

void FairOrder::StopWaiting(SessionId index) {
  Leave(index);
  const TenantId owner = sessions_[index].tenant;
  if (!tenants_[owner].waits()) waiting_.Remove(tenant_places_[owner], TenantPlaces());
  MayIdle(index);
}

void FairOrder::StopIdling(SessionId index) {
  Tenant& tenant = tenants_[sessions_[index].tenant];
  tenant.idle_sessions.Remove(index, SessionLinks());
  idle_tenants_.Remove(sessions_[index].tenant, TenantLinks());
}

void FairOrder::MayIdle(SessionId index) {
  const Session& session = sessions_[index];
  if (Waits(index) || session.under_way > 0) return;
  Tenant& tenant = tenants_[session.tenant];
  tenant.idle_sessions.Add(index, SessionLinks());
  if (tenant.idles()) idle_tenants_.Add(session.tenant, TenantLinks());
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
    for (uint32_t entry = firsts_[index]; entry != kNone; entry = entries_[entry].next) {
      if (entries_[entry].id != id) continue;
      entries_[entry].background = false;
      if (entry == firsts_[index]) Retag(index);
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
  FreeEntry(Unlink(index, First(index).id));
  ++session.under_way;
  ++tenant.under_way;
  tenant.virtual_time = std::max(tenant.virtual_time, session.start);
  session.finish = session.start + cost;
  virtual_time_ = std::max(virtual_time_, tenant.start);
  tenant.finish = tenant.start + cost / tenant.weight;
  if (Waits(index)) {
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
  ForgetSome(owner);
  // Who is next will be asked about soon, and has not been touched for as long as it waited.
  if (size_ > 0) {
    const SessionId next = Next();
    __builtin_prefetch(&entries_[firsts_[next]]);
    __builtin_prefetch(&sessions_[next]);
  }
}

bool FairOrder::Erase(SessionId index, RequestId id) {
  Session& session = sessions_[index];
  const uint32_t first = firsts_[index];
  const uint32_t entry = Unlink(index, id);
  if (entry == kNone) return false;
  FreeEntry(entry);
  if (entry != first) return true;
  if (held_ == index) held_.reset();
  const TenantId owner = session.tenant;
  if (Waits(index)) {
    Retag(index);
  } else {
    StopWaiting(index);
  }
  ForgetSome(owner);
  return true;
}

void FairOrder::Landed(SessionId index, double difference) {
  Session& session = sessions_[index];
  const TenantId owner = session.tenant;
  Tenant& tenant = tenants_[owner];
  --session.under_way;
  --tenant.under_way;
  if (difference != 0) {
    session.finish += difference;
    tenant.finish += difference / tenant.weight;
    if (Waits(index)) {
      session.start = std::max(tenant.virtual_time, session.start + difference);
      Retag(index);
    }
    if (tenant.waits()) {
      tenant.start = std::max(virtual_time_, tenant.start + difference / tenant.weight);
      RetagTenant(owner);
    }
  }
  MayIdle(index);
  ForgetSome(owner);
}

uint32_t FairOrder::Unlink(SessionId index, RequestId id) {
  uint32_t before = kNone;
  uint32_t entry = firsts_[index];
  while (entry != kNone && entries_[entry].id != id) {
    before = entry;
    entry = entries_[entry].next;
  }
  if (entry == kNone) return kNone;
  (before == kNone ? firsts_[index] : entries_[before].next) = entries_[entry].next;
  if (sessions_[index].last == entry) sessions_[index].last = before;
  return entry;
}

void FairOrder::FreeEntry(uint32_t entry) {
  entries_[entry].next = free_entry_;
  free_entry_ = entry;
  --size_;
}

void FairOrder::ForgetSession(SessionId index) {
  tenants_[sessions_[index].tenant].idle_sessions.Remove(index, SessionLinks());
  sessions_[index].alive = false;
  forgotten_.sessions.push_back(index);
}

void FairOrder::ForgetSessionsOf(TenantId index) {
  const IdleList& idle = tenants_[index].idle_sessions;
  while (idle.first() != IdleList::kNone) ForgetSession(idle.first());
}

void FairOrder::ForgetSome(TenantId owner) {
  // More than one can begin to idle by one change, so that the lists empty in the end.
  constexpr int kLooks = 2;
  Tenant& tenant = tenants_[owner];
  IdleList& sessions = tenant.idle_sessions;
  for (int look = 0; look < kLooks && sessions.first() != IdleList::kNone; ++look) {
    const SessionId index = sessions.first();
    if (sessions_[index].owes_nothing(tenant.virtual_time)) {
      ForgetSession(index);
    } else {
      sessions.Remove(index, SessionLinks());
      sessions.Add(index, SessionLinks());
    }
  }
  for (int look = 0; look < kLooks && idle_tenants_.first() != IdleList::kNone; ++look) {
    const TenantId index = idle_tenants_.first();
    idle_tenants_.Remove(index, TenantLinks());
    if (tenants_[index].owes_nothing(virtual_time_)) {
      ForgetSessionsOf(index);
      tenants_[index].alive = false;
      forgotten_.tenants.push_back(index);
    } else {
      idle_tenants_.Add(index, TenantLinks());
    }
  }
}

void FairOrder::TakeForgotten(Forgotten* forgotten) {
  forgotten->sessions.swap(forgotten_.sessions);
  forgotten->tenants.swap(forgotten_.tenants);
  free_sessions_.insert(free_sessions_.end(), forgotten->sessions.begin(), forgotten->sessions.end());
  free_tenants_.insert(free_tenants_.end(), forgotten->tenants.begin(), forgotten->tenants.end());
}

}  // namespace holdfast::quota
