#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {

// What a call asks of the ledger.
struct Demand {
  std::string group;    // "<upstream>/<model family>"
  std::string tenant;   // turns go round by tenant first,
  std::string session;  // and within a tenant by session
  Need need;
  int64_t bytes = 0;        // of the request, held in memory while it waits
  bool background = false;  // nobody looks at it: after the tenant's interactive ones (FairOrder)
};

// What tenants may have of a ledger.
struct TenantPolicy {
  std::map<std::string, double, std::less<>> weights;  // shares against the others', positive; 1 for who is not here
  size_t most_waiting = 10'000;                        // calls of one tenant, in all groups
  int64_t most_waiting_bytes = int64_t{1} << 30;       // of their requests, unless one alone is larger
};

// Out of the queue, or not let in.
struct Rejection {
  // FAILED_PRECONDITION: larger than a limit. RESOURCE_EXHAUSTED: its tenant has too many waiting. UNAVAILABLE: the
  // ledger cannot be reached; enqueue again later.
  absl::Status status;
  int64_t largest = 0;     // what fits, for FAILED_PRECONDITION; 0: unknown
  Duration retry_after{};  // for RESOURCE_EXHAUSTED
};

// Who holds a place in the queue, and later a grant. Called on the loop, never from inside a Ledger method; not after
// Cancel or Settle.
class LedgerClient {
 public:
  virtual ~LedgerClient() = default;
  // Send now. The grant expires after Ledger::kGrantLifetime unless renewed.
  virtual void OnGranted() = 0;
  // Still waiting; the first time at once (within 250 ms), then when the position changes or the end moves by a tenth,
  // at most once a second.
  virtual void OnWaiting(const WaitEstimate& estimate) = 0;
  virtual void OnRejected(const Rejection& rejection) = 0;
};

struct Headroom {
  bool never_fits = false;
  WaitEstimate estimate;  // reason kNone: fits now
  int64_t largest = 0;    // 0: unknown
  bool limits_known = false;
  std::vector<LimitGroup::Level> levels;
};

struct GroupState {
  std::string name;
  std::vector<LimitGroup::Level> levels;
  size_t queued = 0;
  size_t in_flight = 0;
};

// What is known of a group's limits, whoever waits.
struct LimitsState {
  int64_t largest = 0;  // the largest demand that could ever be granted; 0: unknown
  bool known = false;
  std::vector<LimitGroup::Level> levels;
};

// Somebody who waits.
struct WaiterState {
  std::string tenant;
  std::string session;
  WaitEstimate estimate;  // from now
  Duration waited{};      // since it came or was sent last
};

struct QueueState {
  std::string group;
  Duration wait{};                   // of a new request without tokens
  size_t visible = 0;                // of those asked for
  std::vector<WaiterState> waiters;  // of them, by position
};

// Limits and the queue before them, whoever keeps them: this process, or a store that replicas share. Every answer
// comes later, by callback on the loop. Methods are called on the loop.
class Ledger {
 public:
  using Ticket = uint64_t;
  static constexpr Duration kGrantLifetime = std::chrono::seconds(60);

  virtual ~Ledger() = default;

  // A place in the queue of its group. `client` outlives the ticket, or cancels it.
  virtual Ticket Enqueue(Demand demand, LedgerClient* client) = 0;
  // The waiter leaves, or the grant goes back unused.
  virtual void Cancel(Ticket ticket) = 0;

  // The rest is about granted tickets; others are ignored. Of a grant that has expired, which counts as charged, the
  // ticket stays until Cancel or Settle: Refuse and Requeue find it.
  virtual void Renew(Ticket ticket) = 0;
  // What the headers of its answer said.
  virtual void Calibrate(Ticket ticket, const RateLimitHeaders& headers) = 0;
  // The provider refused it: it waits again, at the front of its group, and OnGranted comes again.
  virtual void Refuse(Ticket ticket, const ServerHint& hint) = 0;
  // It failed otherwise and wants another turn: waits again, at the front.
  virtual void Requeue(Ticket ticket, Settlement settlement) = 0;
  // It has ended. `actual`: the tokens that it took, where the provider told them and its gate replaces the charge by
  // them; else nothing.
  virtual void Settle(Ticket ticket, Settlement settlement, const std::optional<Tokens>& actual) = 0;

  // What a demand would meet now. Consumes nothing.
  virtual void GetHeadroom(const Demand& demand, absl::AnyInvocable<void(absl::StatusOr<Headroom>)> done) = 0;
  // These cost the same however many wait.
  virtual void GetLimits(const std::string& group, absl::AnyInvocable<void(LimitsState)> done) = 0;
  virtual void GetGroups(absl::AnyInvocable<void(std::vector<GroupState>)> done) = 0;
  // Who waits: of `tenant`, or of everybody where it is absent; at most `most` of a group, the first ones.
  virtual void GetQueues(std::optional<std::string> tenant, size_t most,
                         absl::AnyInvocable<void(std::vector<QueueState>)> done) = 0;
};

}  // namespace holdfast::quota
