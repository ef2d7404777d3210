#pragma once

#include <algorithm>
#include <cstdint>

#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// Tokens of one request as the limits of each dimension count them; each at least 0.
struct Tokens {
  int64_t total = 0;   // of limits on tokens
  int64_t input = 0;   // of limits on input tokens
  int64_t output = 0;  // of limits on output tokens

  friend bool operator==(const Tokens&, const Tokens&) = default;
};

inline Tokens Larger(const Tokens& a, const Tokens& b) {
  return {std::max(a.total, b.total), std::max(a.input, b.input), std::max(a.output, b.output)};
}

// What a request takes of one limit: tokens of its kind, or one request. Not for concurrency.
inline double AmountOf(Dimension dimension, const Tokens& tokens) {
  switch (dimension) {
    case Dimension::kTokens:
      return static_cast<double>(tokens.total);
    case Dimension::kInputTokens:
      return static_cast<double>(tokens.input);
    case Dimension::kOutputTokens:
      return static_cast<double>(tokens.output);
    case Dimension::kRequests:
    case Dimension::kConcurrency:
      break;
  }
  return 1;
}

// What a request needs of its limits.
struct Need {
  Need() = default;
  // A gate that charges so many tokens, all of them input, and never settles.
  Need(int64_t tokens, int64_t not_sure = 0) : charge{tokens, tokens, 0}, most(charge), guessed(not_sure) {}
  Need(const Tokens& taken, const Tokens& at_most, int64_t not_sure = 0)
      : charge(taken), most(Larger(taken, at_most)), guessed(not_sure) {}

  Tokens charge;  // what the gate takes when the request arrives
  Tokens most;    // what the request may come to in the end, where the gate settles; at least `charge`
  // Of the input that is charged: may turn out not to be. Nobody is refused for it.
  int64_t guessed = 0;
};

}  // namespace holdfast::quota
