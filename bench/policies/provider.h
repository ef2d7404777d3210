#pragma once

#include <cstdint>
#include <functional>

#include "bench/policies/world.h"

namespace holdfast::bench {

struct ProviderOptions {
  double tokens_per_minute = 200'000;
  double requests_per_minute = 500;  // enforced second by second
  double foreign_share = 0;          // of the tokens, spent by somebody else with the same key
};

// What a client sends.
struct Request {
  int64_t charge = 0;  // what the gate takes for it
  Duration run{};      // from admission to the end of the answer
};

// What the answer's first bytes say.
struct Answer {
  bool admitted = false;
  int64_t limit = 0;
  int64_t remaining = 0;  // tokens
  Duration reset{};       // until all tokens are there again
  // Of a refusal:
  bool by_tokens = false;
  bool too_large = false;
  int64_t used = 0;
  Duration retry_after{};
};

// A provider's gate and its network: a continuous bucket of tokens that is not settled, requests second by second, 5 to
// 500 ms each way, so that what was sent first need not arrive first. Shares no code with what it judges.
class Provider {
 public:
  Provider(World& world, const ProviderOptions& options);

  // `on_answer` when the first bytes are there; `on_end`, only after an admission, when the last are.
  void Send(const Request& request, std::function<void(const Answer&)> on_answer, std::function<void()> on_end);
  void SetLimit(double tokens_per_minute);

  int64_t admissions() const { return admissions_; }
  int64_t refusals() const { return refusals_; }
  // Tokens that were refilled while the bucket was not full, and are so gone for nobody.
  double lost_tokens() const { return lost_; }
  double charged() const { return charged_; }

 private:
  void Refill();
  void SpendElsewhere();
  Duration Latency();

  World& world_;
  ProviderOptions options_;
  double tokens_;
  double requests_;
  BootTime refilled_;
  int64_t admissions_ = 0;
  int64_t refusals_ = 0;
  double lost_ = 0;
  double charged_ = 0;
};

}  // namespace holdfast::bench
