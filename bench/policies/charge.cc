#include "bench/policies/charge.h"

#include <algorithm>

namespace holdfast::bench {
namespace {

int64_t TokensOfText(const Request& request) { return request.characters / 4 + 2; }

}  // namespace

int64_t ChargeAtGate(ChargeRule rule, const Request& request) {
  if (rule == ChargeRule::kInputAndCap) return request.input + request.cap;
  return std::max(request.cap, TokensOfText(request));
}

Usage UsageOf(const Request& request) {
  const bool cut_short = request.cap > 0 && request.output > request.cap;
  return {request.input, cut_short ? request.cap : request.output, cut_short};
}

}  // namespace holdfast::bench
