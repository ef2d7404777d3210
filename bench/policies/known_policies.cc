#include "bench/policies/central_policy.h"
#include "bench/policies/client_policies.h"

namespace holdfast::bench {

std::vector<PolicyMaker> Policies() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto retrying = [](RetryRule rule) {
    return [rule = std::move(rule)](World& world, Provider& provider, const ProviderOptions&) {
      return MakeRetrying(world, provider, rule);
    };
  };
  const auto central = [](bool fair) {
    return [fair](World& world, Provider& provider, const ProviderOptions& options) {
      return MakeCentral(world, provider, options, fair);
    };
  };
  return {{"codex", "5 retries from 200 ms (Codex)", retrying(ExponentialFrom(milliseconds(200), 5))},
          {"sdk", "2 retries, retry-after up to 60 s (SDKs)", retrying(RetryAfterUpTo(seconds(60), 2))},
          {"retry-after", "retry-after without end", retrying(RetryAfterWithoutEnd())},
          {"gateway", "a gateway that rejects, 8 retries", retrying(RetryAfterUpTo(seconds(60), 8))},
          {"fifo", "one queue, first in first out", central(false)},
          {"holdfast", "Holdfast", central(true)}};
}

}  // namespace holdfast::bench
