#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/loop.h"
#include "quota_service/retry/account_health.h"
#include "quota_service/retry/breaker.h"
#include "quota_service/retry/failure.h"
#include "quota_service/retry/failure_streak.h"

namespace holdfast::quota {

// What stands between calls and one upstream account beside its limits: a key that is refused or has no money ends
// calls at once, an upstream that fails for all holds them. On the loop.
class AccountGate {
 public:
  using CallId = uint64_t;

  // A call that is inside.
  class Caller {
   public:
    virtual ~Caller() = default;
    // What the gate says may have changed. `ahead`: callers before it that said that they are held. Returns whether it
    // is. Never inside a method of the gate.
    virtual bool OnGateMoved(int ahead) = 0;
  };

  struct Verdict {
    enum class Kind { kGo, kHold, kRefused };
    Kind kind = Kind::kGo;
    BootTime until{};                // kHold: when the next call goes, if nothing happens until then
    const Outage* outage = nullptr;  // kRefused; until the gate is asked again
  };

  // It began to fail, with this; or, null, it answers again after so many failed attempts.
  using OnStreak = std::function<void(const UpstreamFailure*, int64_t failed)>;

  // `on_change` is told after the account has become usable or unusable, or its breaker has opened or closed;
  // `on_streak` as FailureStreak says.
  AccountGate(Loop& loop, std::function<void()> on_change, OnStreak on_streak = {});
  ~AccountGate();

  // Callers are held and let go in the order of entering, those after the last probe first. Leave ends it; what the
  // call was asking the upstream is then another's to ask.
  CallId Enter(Caller* caller);
  void Leave(CallId call);

  // Consumes nothing. For a call that is under way, or not yet inside.
  const Outage* Refuses(const std::string& model) const;
  bool holds() const { return breaker_.state() != Breaker::State::kClosed; }
  // Whether `call` may be sent now. Where the account fails or is refused, one at a time is let through, and asking
  // again it stays the one.
  Verdict TryPass(CallId call, const std::string& model);
  // For a call that can wait no longer.
  Verdict TryPassAtLast(CallId call, const std::string& model);
  // Another caller is held; returns how many before it are.
  int AddHeld() { return held_++; }

  void OnHeaders(CallId call, const std::string& model, int http_status);
  void OnAnswered(CallId call);
  void OnFailed(CallId call, const std::string& model, const UpstreamFailure& failure);

  // Of the whole account; null: usable.
  const Outage* outage() const { return health_.account(); }
  const AccountHealth& health() const { return health_; }
  // The outage keeps every call away at this moment; false also where the next call would ask again.
  bool closed() const;

 private:
  Verdict Pass(CallId call, const std::string& model, bool at_last);
  // OnGateMoved for all, soon, once.
  void Wake();
  void WakeAll();
  // After anything that may have moved it: callers, timer and `on_change`.
  void Settle();
  void NoteAnswer();

  Loop& loop_;
  std::function<void()> on_change_;
  OnStreak on_streak_;
  Breaker breaker_;
  FailureStreak streak_;
  AccountHealth health_;
  std::map<CallId, Caller*> callers_;  // in the order of entering
  CallId next_call_ = 1;
  CallId last_probe_ = 0;
  std::unique_ptr<Loop::Timer> probe_timer_;
  bool wake_posted_ = false;
  bool was_open_ = false;
  bool was_out_ = false;
  size_t models_out_ = 0;
  BootTime next_probe_{};
  int held_ = 0;  // as of the last waking, and those since
  // Posted tasks outlive the gate in the loop's queue; they hold this and find it empty.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The gate of each upstream account, by its name.
class AccountGates {
 public:
  using OnChange = std::function<void(const std::string& account, const AccountGate&)>;
  using OnStreak = std::function<void(const std::string& account, const UpstreamFailure*, int64_t failed)>;

  explicit AccountGates(Loop& loop, OnChange on_change = {}, OnStreak on_streak = {})
      : loop_(loop), on_change_(std::move(on_change)), on_streak_(std::move(on_streak)) {}

  // Stays where it is.
  AccountGate& Of(const std::string& account);

 private:
  Loop& loop_;
  OnChange on_change_;
  OnStreak on_streak_;
  std::map<std::string, std::unique_ptr<AccountGate>> gates_;
};

// What is wrong and what to do, without the provider's own words, which are another caller's: "refuses the key that
// quota_service has for it (invalid_api_key); check the key and replace it". `now` and `wall_now` are the same moment.
std::string DescribeOutage(const Outage& outage, BootTime now, WallTime wall_now);

// Why an attempt failed, without the provider's own words: "HTTP 503 (server_error)", "Connection refused".
std::string DescribeCause(const UpstreamFailure& failure);

}  // namespace holdfast::quota
