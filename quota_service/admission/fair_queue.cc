#include "quota_service/admission/fair_queue.h"

#include <algorithm>
#include <utility>

namespace holdfast::quota {

FairQueue::FairQueue() { nodes_.emplace_back(); }

FairQueue::Index FairQueue::ChildOf(Index parent, const std::string& name, double weight, bool* is_new) {
  *is_new = false;
  if (const auto found = nodes_[parent].children.find(name); found != nodes_[parent].children.end()) {
    nodes_[found->second].weight = weight;
    return found->second;
  }
  Index index = static_cast<Index>(nodes_.size());
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  nodes_[index].parent = parent;
  nodes_[index].name = name;
  nodes_[index].weight = weight;
  nodes_[index].finish = nodes_[parent].virtual_time;
  *is_new = true;
  nodes_[parent].children.emplace(name, index);
  return index;
}

void FairQueue::Push(const Flow& flow, const Waiter& waiter) {
  bool new_tenant = false;
  bool new_session = false;
  const Index tenant = ChildOf(kRoot, flow.tenant, flow.weight, &new_tenant);
  const Index session = ChildOf(tenant, flow.session, 1, &new_session);
  const bool waited = nodes_[session].waits();
  nodes_[session].queue.push_back(waiter);
  leaf_of_[waiter.id] = session;
  if (waited) return;
  const bool tenant_waited = nodes_[tenant].waits();
  StartWaiting(session, new_session ? waiter.cost : 0);
  if (!tenant_waited) StartWaiting(tenant, new_tenant ? waiter.cost / flow.weight : 0);
}

void FairQueue::StartWaiting(Index index, double debt) {
  Node& node = nodes_[index];
  Node& parent = nodes_[node.parent];
  parent.idle.erase({node.finish, index});
  node.start = std::max(parent.virtual_time, node.finish) + debt;
  node.since = arrivals_++;
  parent.waiting.emplace(node.start, node.since, index);
}

void FairQueue::StopWaiting(Index index) {
  Node& node = nodes_[index];
  Node& parent = nodes_[node.parent];
  parent.waiting.erase({node.start, node.since, index});
  parent.idle.emplace(node.finish, index);
}

void FairQueue::ForgetIdle(Index index) {
  Node& parent = nodes_[index];
  while (!parent.idle.empty() && parent.idle.begin()->first <= parent.virtual_time) {
    const Index child = parent.idle.begin()->second;
    parent.idle.erase(parent.idle.begin());
    Forget(child);
  }
}

void FairQueue::Forget(Index index) {
  for (const auto& [name, child] : std::exchange(nodes_[index].children, {})) Forget(child);
  nodes_[nodes_[index].parent].children.erase(nodes_[index].name);
  nodes_[index] = Node();
  free_.push_back(index);
}

FairQueue::Index FairQueue::Next() const {
  Index index = kRoot;
  while (!nodes_[index].waiting.empty()) index = std::get<Index>(*nodes_[index].waiting.begin());
  return index;
}

const FairQueue::Waiter* FairQueue::Head() const {
  return leaf_of_.empty() ? nullptr : &nodes_[held_.value_or(Next())].queue.front();
}

Flow FairQueue::FlowOfHead() const {
  const Node& session = nodes_[held_.value_or(Next())];
  const Node& tenant = nodes_[session.parent];
  return {tenant.name, session.name, tenant.weight};
}

void FairQueue::HoldHead() {
  if (!leaf_of_.empty() && !held_) held_ = Next();
}

void FairQueue::Pop() {
  const Index session = std::exchange(held_, std::nullopt).value_or(Next());
  const Waiter waiter = nodes_[session].queue.front();
  leaf_of_.erase(waiter.id);
  nodes_[session].queue.pop_front();
  for (Index index = session; index != kRoot; index = nodes_[index].parent) {
    Node& node = nodes_[index];
    Node& parent = nodes_[node.parent];
    parent.virtual_time = std::max(parent.virtual_time, node.start);
    node.finish = node.start + waiter.cost / node.weight;
    if (node.waits()) {
      parent.waiting.erase({node.start, node.since, index});
      node.start = node.finish;
      parent.waiting.emplace(node.start, node.since, index);
    } else {
      StopWaiting(index);
    }
  }
  ForgetIdle(nodes_[session].parent);
  ForgetIdle(kRoot);
}

bool FairQueue::Erase(RequestId id) {
  const auto found = leaf_of_.find(id);
  if (found == leaf_of_.end()) return false;
  const Index session = found->second;
  leaf_of_.erase(found);
  std::deque<Waiter>& queue = nodes_[session].queue;
  if (held_ == session && queue.front().id == id) held_.reset();
  queue.erase(std::find_if(queue.begin(), queue.end(), [id](const Waiter& waiter) { return waiter.id == id; }));
  if (!queue.empty()) return true;
  const Index tenant = nodes_[session].parent;
  StopWaiting(session);
  if (!nodes_[tenant].waits()) StopWaiting(tenant);
  ForgetIdle(tenant);
  ForgetIdle(kRoot);
  return true;
}

std::vector<FairQueue::Waiter> FairQueue::Waiters() const {
  std::vector<Waiter> waiters;
  waiters.reserve(size());
  for (const Node& node : nodes_) waiters.insert(waiters.end(), node.queue.begin(), node.queue.end());
  return waiters;
}

}  // namespace holdfast::quota
