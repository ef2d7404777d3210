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

  Ticket Enqueue(Demand demand, LedgerClient* client) override;
  void Cancel(Ticket ticket) override;
  void Renew(Ticket ticket) override;
  void Calibrate(Ticket ticket, const RateLimitHeaders& headers) override;
  void Refuse(Ticket ticket, const ServerHint& hint) override;
  void Requeue(Ticket ticket, Settlement settlement) override;
  void Settle(Ticket ticket, Settlement settlement, const std::optional<Tokens>& actual) override;
  void GetHeadroom(const Demand& demand, absl::AnyInvocable<void(absl::StatusOr<Headroom>)> done) override;
  void GetGroups(absl::AnyInvocable<void(std::vector<GroupState>)> done) override;

 private:
  struct Group;
  enum class Stage { kTurnedAway, kWaiting, kGranted, kExpired };
  struct Place {
    Group* group = nullptr;
    LedgerClient* client = nullptr;
    Need need;
    Flow flow;
    Stage stage = Stage::kTurnedAway;
    BootTime expires{};  // of the grant
    Announcer announcer;
  };

  Group& GroupOf(const std::string& name);
  Flow FlowOf(const Demand& demand) const;
  void ForgetIdleGroups();
  void SetStage(Place& place, Stage stage);
  void TurnAway(Ticket ticket);
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
  std::map<std::string, size_t, std::less<>> waiting_;  // by tenant
  Ticket next_ticket_ = 1;
  // Posted tasks outlive the ledger in the loop's queue; they hold this and find it empty.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
