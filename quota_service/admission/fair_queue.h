#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace holdfast::quota {

// Whose request it is, for fairness.
struct Flow {
  std::string tenant;
  std::string session;
  double weight = 1;  // the tenant's share against the others', positive; the latest one holds
};

// Start-time fair queueing (Goyal, Vin, Cheng 1996) in two levels: tenants by weight, and within a tenant its sessions
// alike; within a session first come, first served. Whoever waits keeps a start tag, which grows with what it was
// served; the least start tag is next.
//
// Who is new begins one request of its own behind virtual time. At virtual time itself, as in the original, sessions
// that are new each time, as those of CI jobs, would forever go before one that has been served already. (Letting
// virtual time run with the work done, as WF2Q+ has it, is no remedy: a session that has one request at a time, as
// agents have, would lose what it is behind whenever it comes back.)
class FairQueue {
 public:
  using RequestId = uint64_t;
  struct Waiter {
    RequestId id = 0;
    int64_t tokens = 0;
    double cost = 0;  // at least 0, in any unit that is the same for all
  };

  FairQueue();

  void Push(const Flow& flow, const Waiter& waiter);
  // Null: nobody waits. Valid until the next change.
  const Waiter* Head() const;
  // Somebody waits.
  Flow FlowOfHead() const;
  // Who is the head now stays it until it goes or leaves: nobody passes a large request for which tokens gather.
  void HoldHead();
  // The head goes, and its flow is charged for it. Somebody waits.
  void Pop();
  // False: it does not wait.
  bool Erase(RequestId id);
  bool Contains(RequestId id) const { return leaf_of_.contains(id); }
  size_t size() const { return leaf_of_.size(); }

  // In no order.
  std::vector<Waiter> Waiters() const;

 private:
  using Index = uint32_t;
  static constexpr Index kRoot = 0;

  // The root, a tenant or a session.
  struct Node {
    Index parent = kRoot;
    std::string name;
    double weight = 1;
    double start = 0;    // tag among its siblings, while anybody waits below
    double finish = 0;   // start + service / weight
    uint64_t since = 0;  // between equal tags: who began to wait earlier
    // Of an inner node:
    double virtual_time = 0;
    std::set<std::tuple<double, uint64_t, Index>> waiting;  // children by start tag
    std::set<std::pair<double, Index>> idle;                // children that are ahead of it, by finish tag
    std::unordered_map<std::string, Index> children;
    // Of a session:
    std::deque<Waiter> queue;

    bool waits() const { return !waiting.empty() || !queue.empty(); }
  };

  // A new one ends, as it were, at virtual time: if it leaves unserved, nothing of it stays.
  Index ChildOf(Index parent, const std::string& name, double weight, bool* is_new);
  // `debt`: how far behind its tag it begins.
  void StartWaiting(Index node, double debt);
  void StopWaiting(Index node);
  void ForgetIdle(Index parent);
  void Forget(Index node);
  Index Next() const;

  std::vector<Node> nodes_;
  std::vector<Index> free_;
  std::unordered_map<RequestId, Index> leaf_of_;
  std::optional<Index> held_;  // the session whose first request stays the head
  uint64_t arrivals_ = 0;
};

}  // namespace holdfast::quota
