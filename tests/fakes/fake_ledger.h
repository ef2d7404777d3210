#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/loop.h"
#include "quota_service/ledger/in_process_ledger.h"

namespace holdfast::quota {

// A ledger as far away as a shared store is: every answer of the in-process one behind it comes `delay` later, and
// places can be refused as if the store could not be reached. A client that cancels meanwhile hears nothing more.
class FakeLedger final : public Ledger {
 public:
  FakeLedger(Loop& loop, std::vector<LimitGroupOptions> groups, Duration delay, TenantPolicy tenants = {});
  ~FakeLedger() override;

  // The next `count` places are refused with UNAVAILABLE, after the delay.
  void RejectNextEnqueues(int count) { rejections_left_ = count; }

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
  // Stands before the inner ledger for the client.
  class Place;

  // The place, if its client has heard of the grant.
  Place* Granted(Ticket ticket);
  void Later(Loop::Task answer);
  void RunDue();

  Loop& loop_;
  InProcessLedger inner_;
  Duration delay_;
  std::unique_ptr<Loop::Timer> timer_;
  std::deque<std::pair<BootTime, Loop::Task>> answers_;
  std::map<Ticket, std::unique_ptr<Place>> places_;
  Ticket next_ticket_ = 1'000'000;  // other than those of the inner one
  int rejections_left_ = 0;
};

}  // namespace holdfast::quota
