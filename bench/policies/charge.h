#pragma once

#include <cstdint>

namespace holdfast::bench {

// What a gate takes for a request.
enum class ChargeRule {
  kGreaterOfCapAndText,  // max(cap, characters / 4 + 2), for good; as OpenAI
  kInputAndCap,          // real input + cap, for good; as Moonshot's Kimi
  kSettled,              // as the first, corrected to what was really used when the answer has ended
};

struct Request {
  int64_t characters = 0;  // Unicode code points of the prompt, which everybody can count
  int64_t cap = 0;         // max_output_tokens; 0: none, and then the answer is as long as it will
  bool cjk = false;        // the prompt is in Chinese
  // Tokens that only the provider knows, before the answer has ended:
  int64_t input = 0;
  int64_t output = 0;  // as long as no cap cuts it short
};

// What the end of an answer tells.
struct Usage {
  int64_t input = 0;
  int64_t output = 0;
  bool cut_short = false;  // by the cap
};

int64_t ChargeAtGate(ChargeRule rule, const Request& request);
Usage UsageOf(const Request& request);

}  // namespace holdfast::bench
