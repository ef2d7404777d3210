#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "bench/policies/charge.h"
#include "bench/policies/token_gate.h"
#include "bench/policies/world.h"

namespace holdfast::bench {

struct ProviderOptions {
  ChargeRule charge = ChargeRule::kGreaterOfCapAndText;
  Window window = Window::kContinuous;
  double tokens_per_minute = 200'000;
  double requests_per_minute = 500;  // enforced second by second
  std::optional<int> concurrent;
  double foreign_share = 0;  // of the tokens, spent by somebody else with the same key
  bool lower_caps = false;   // whoever stands before it may ask for shorter answers than the sessions
  bool headers = true;       // else only refusals tell anything, in their words
};

// What the first bytes of an answer say.
struct Answer {
  enum class Refusal { kNone, kTokens, kRequests, kConcurrency, kTooLarge };

  Refusal refusal = Refusal::kNone;
  BootTime made{};  // at the gate
  // Headers, of tokens:
  std::optional<int64_t> limit;
  std::optional<int64_t> remaining;
  std::optional<Duration> reset;  // until all are there again
  // The words of a refusal; of tokens where it is for them, else of what it is for:
  int64_t told_limit = 0;
  int64_t used = 0;
  int64_t requested = 0;
  Duration retry_after{};  // whole milliseconds

  bool admitted() const { return refusal == Refusal::kNone; }
};

// A provider's gate and its network: 5 to 500 ms each way, so that what was sent first need not arrive first. Shares no
// code with what it judges.
class Provider {
 public:
  Provider(World& world, const ProviderOptions& options);

  // `on_answer` when the first bytes are there; `on_end`, only after an admission, when the last are.
  void Send(const Request& request, std::function<void(const Answer&)> on_answer,
            std::function<void(const Usage&)> on_end);
  void SetLimit(double tokens_per_minute);
  // So many more calls wait, in anybody's hands, and are not on their way here.
  void Waits(int more);

  int64_t admissions() const { return admissions_; }
  int64_t refusals() const { return refusals_; }
  double charged() const { return charged_; }  // tokens, settlements included, without foreign ones
  double foreign() const { return foreign_; }  // tokens
  double offered() const { return gate_->offered(); }

  // Use of the limit while tokens bind and anybody waits. Both sums grow only in moments in which somebody waits
  // (Waits), and the limits on requests and concurrency would let one more in.
  //   offered: tokens that came free in these moments
  //   lost: those of them that went to nobody (TokenGate::lost)
  // The use is 1 - lost / offered. Tokens that gather for a large request are not lost: they are taken later.
  struct Bound {
    double offered = 0;
    double lost = 0;
    Duration time{};
  };
  const Bound& bound() const { return bound_; }

 private:
  void Advance();
  // After whatever changes what binds.
  void JudgeWhatBinds();
  bool OthersLetIn() const { return requests_ >= 1 && (!options_.concurrent || in_flight_ < *options_.concurrent); }
  Answer Decide(const Request& request);
  void End(const Request& request, BootTime charged_at);
  void BeginBurst();
  void SpendElsewhere();
  Duration Latency();

  World& world_;
  ProviderOptions options_;
  std::unique_ptr<TokenGate> gate_;
  double requests_;  // a bucket of a second's requests
  int in_flight_ = 0;
  BootTime at_;
  int waiting_ = 0;
  bool binds_ = false;
  double foreign_debt_ = 0;  // what the others want to spend by now
  bool foreign_waits_ = false;
  int64_t admissions_ = 0;
  int64_t refusals_ = 0;
  double charged_ = 0;
  double foreign_ = 0;
  Bound bound_;
};

}  // namespace holdfast::bench
