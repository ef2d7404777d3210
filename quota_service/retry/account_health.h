#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// Why an account, or one of its models, is not asked at present.
struct Outage {
  FailureClass cls = FailureClass::kAuthentication;  // or kQuotaExhausted
  std::string code = {};                             // the provider's; may be empty
  std::string model = {};                            // as the upstream knows it; empty: the whole account
  BootTime since = {};
  BootTime next_probe = {};            // from then on one call asks again
  std::optional<BootTime> reset = {};  // when quota comes back, where the provider said it
};

// Whether the key of an upstream account is taken and has money, as its answers said: for each account, and for each
// model of it that was refused alone. A provider's hiccup refuses one call; a second one that is refused, with none
// accepted in between, begins an outage. Then not every call asks: one does after a pause, which doubles with each
// refusal, so that a mended key comes back by itself.
class AccountHealth {
 public:
  using CallId = uint64_t;

  struct Options {
    int refusals = 2;  // in a row, that begin an outage
    Duration first = std::chrono::minutes(1);
    // Also where a reset is far away: somebody may pay before.
    Duration most = std::chrono::minutes(15);
  };

  explicit AccountHealth(Options options) : options_(options) {}
  AccountHealth() : AccountHealth(Options{}) {}

  // What keeps a call for `model` from being sent now; null: nothing does. The call that asks again is let through by
  // TryPass alone, and by asking twice it stays the same one.
  const Outage* Refuses(BootTime now, const std::string& model) const;
  const Outage* TryPass(BootTime now, const std::string& model, CallId call);

  // The upstream takes key and model: headers of a 200.
  void OnAccepted(const std::string& model, CallId call);
  // A failure of class kAuthentication or kQuotaExhausted. Whoever finds something wrong with the request, or its size,
  // has taken the key, which says nothing of money. Of other failures, and of those that concern one request alone, the
  // call is only gone.
  void OnFailed(BootTime now, const std::string& model, const UpstreamFailure& failure, CallId call);
  // The call ended, or failed for another reason: if it was to ask, another may.
  void OnGone(CallId call);

  // Of the whole account; null: usable.
  const Outage* account() const { return account_ && IsOut(*account_) ? &account_->outage : nullptr; }
  // Of models that were refused alone, by name.
  std::vector<const Outage*> models() const;

 private:
  // More names than this are not remembered: callers choose them.
  static constexpr size_t kMostModels = 100;

  struct Entry {
    Outage outage = {};
    int refusals = 0;                  // in a row
    Duration pause = {};               // until it is asked, the next time that it refuses
    std::optional<CallId> probe = {};  // asks just now
  };

  bool IsOut(const Entry& entry) const { return entry.refusals >= options_.refusals; }
  bool Blocks(const Entry& entry, BootTime now) const { return IsOut(entry) && now < entry.outage.next_probe; }
  // Once it is due, `call` is the one that asks.
  bool Lets(Entry& entry, BootTime now, CallId call);
  void Refused(BootTime now, Entry& entry, const UpstreamFailure& failure, CallId call);
  // An answer to `call` ends the entry.
  bool IsAccepted(const Entry& entry, CallId call) const { return !IsOut(entry) || entry.probe == call; }
  Entry* ModelEntry(const std::string& model);

  Options options_;
  std::optional<Entry> account_;
  std::map<std::string, Entry> models_;
};

}  // namespace holdfast::quota
