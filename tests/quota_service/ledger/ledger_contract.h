#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "quota_service/ledger/ledger.h"
#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/ledger/recording_client.h"

namespace holdfast::quota {

// What every implementation of Ledger passes:
//   INSTANTIATE_TEST_SUITE_P(Name, LedgerContract, ::testing::Values(LedgerMaker{...}), LedgerMaker::Name);
struct LedgerMaker {
  std::string name;
  // A ledger without history, of these groups. The loop outlives it.
  std::function<std::unique_ptr<Ledger>(Loop& loop, std::vector<LimitGroupOptions> groups, TenantPolicy tenants)> make;
  // Every answer comes within this time after what it answers. Less than 250 ms.
  Duration latency{};

  static std::string Name(const ::testing::TestParamInfo<LedgerMaker>& maker) { return maker.param.name; }
};
inline void PrintTo(const LedgerMaker& maker, std::ostream* out) { *out << maker.name; }

class LedgerContract : public ::testing::TestWithParam<LedgerMaker> {
 protected:
  TenantPolicy tenants_;  // before Open

  // All tests are about groups "a" and "b" of these limits, whose first answer has come.
  void Open(std::vector<LimitSpec> limits, std::optional<int64_t> concurrent = std::nullopt);

  Ledger::Ticket Enqueue(RecordingClient& client, int64_t tokens, const std::string& group = "a");
  Ledger::Ticket Enqueue(RecordingClient& client, Demand demand);
  void Cancel(Ledger::Ticket ticket);
  void Renew(Ledger::Ticket ticket);
  void Calibrate(Ledger::Ticket ticket, const RateLimitHeaders& headers);
  void Refuse(Ledger::Ticket ticket, const ServerHint& hint);
  void Requeue(Ledger::Ticket ticket, Settlement settlement);
  void Settle(Ledger::Ticket ticket, Settlement settlement);
  // These wait for the answer.
  Headroom HeadroomFor(int64_t tokens, const std::string& group = "a");
  std::vector<GroupState> Groups();
  LimitsState LimitsOf(const std::string& group);
  // Of group "a".
  QueueState Queue(const std::optional<std::string>& tenant = std::nullopt, size_t most = 100);

  // Lets all that is due be answered.
  void Answer() { loop_.Advance(latency()); }
  void Advance(Duration step) { loop_.Advance(step); }
  BootTime now() const { return loop_.Now(); }
  Duration latency() const { return GetParam().latency; }
  RecordingClient Client() { return RecordingClient(loop_, inside_); }
  // What is left of tokens in group "a".
  int64_t TokensLeft();

 private:
  template <typename Method>
  void Inside(Method method);

  SimulatedLoop loop_;
  bool inside_ = false;
  std::unique_ptr<Ledger> ledger_;
};

// Past the lifetime of a grant, and the time that a ledger may take to notice.
inline constexpr Duration kSurelyExpired = Ledger::kGrantLifetime + std::chrono::seconds(10);

}  // namespace holdfast::quota
