#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/base/loop.h"
#include "quota_service/ledger/announcer.h"
#include "quota_service/ledger/ledger.h"

namespace holdfast::quota {

// The ledger of a quota_service that is alone with its keys: limit groups in this process's memory.
class InProcessLedger final : public Ledger {
 public:
  // Configured groups; others are made when they are first asked for, with everything to be learnt.
  InProcessLedger(Loop& loop, std::vector<LimitGroupOptions> groups, TenantPolicy tenants = {});
  ~InProcessLedger() override;

  // What is known of the limits of all groups of which something is known.
  std::vector<LimitGroupState> Export() const;
  // Before the first call: as another process has left them, `age` ago.
  void Restore(const std::vector<LimitGroupState>& states, Duration age);

  Ticket Enqueue(Demand demand, LedgerClient* client) override;
  void Cancel(Ticket ticket) override;
  void Renew(Ticket ticket) override;
  void Calibrate(Ticket ticket, const RateLimitHeaders& headers) override;
  void Refuse(Ticket ticket, const ServerHint& hint) override;
  void Requeue(Ticket ticket, Settlement settlement) override;
  void Settle(Ticket ticket, Settlement settlement, const std::optional<Tokens>& actual) override;
  void GetHeadroom(const Demand& demand, absl::AnyInvocable<void(absl::StatusOr<Headroom>)> done) override;
  void GetLimits(const std::string& group, absl::AnyInvocable<void(LimitsState)> done) override;
  void GetGroups(absl::AnyInvocable<void(std::vector<GroupState>)> done) override;
  void GetQueues(std::optional<std::string> tenant, size_t most,
                 absl::AnyInvocable<void(std::vector<QueueState>)> done) override;

 private:
  struct Group;
  enum class Stage { kTurnedAway, kWaiting, kGranted, kExpired };
  struct Place {
    Group* group = nullptr;
    LedgerClient* client = nullptr;
    Need need;
    int64_t bytes = 0;
    Flow flow;
    Stage stage = Stage::kTurnedAway;
    BootTime since{};    // when the stage began
    BootTime expires{};  // of the grant
    // As it was forecast last.
    WaitEstimate estimate;
    BootTime estimated_at{};
    Announcer announcer;
  };

  // What a tenant has in all queues.
  struct Waiting {
    size_t calls = 0;
    int64_t bytes = 0;
  };

  Group& GroupOf(const std::string& name);
  Flow FlowOf(const Demand& demand) const;
  void ForgetIdleGroups();
  void SetStage(Place& place, Stage stage);
  bool IsFull(const Place& place) const;
  void TurnAway(Ticket ticket);
  QueueState QueueOf(const Group& group, const std::optional<std::string>& tenant, size_t most) const;
  Place* Granted(Ticket ticket);
  // The place of a grant that has expired begins anew; false: it is another kind of place, or none.
  bool WaitAfterExpiry(Ticket ticket);
  // Soon, once: whoever fits is granted, waiters are told, the timers are set.
  void Wake(Group& group);
  void Serve(Group& group);
  void Tell(Group& group);
  void TellAt(Group& group, BootTime when);
  void Expire(Group& group);

  Loop& loop_;
  const TenantPolicy tenants_;
  std::map<std::string, std::unique_ptr<Group>> groups_;
  std::unordered_map<Ticket, Place> places_;
  std::map<std::string, Waiting, std::less<>> waiting_;  // by tenant
  Ticket next_ticket_ = 1;
  // Posted tasks outlive the ledger in the loop's queue; they hold this and find it empty.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
