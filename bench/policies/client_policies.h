#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "bench/policies/policy.h"

namespace holdfast::bench {

// After refusal number `attempt` (from 0): how long to wait, or nothing to give up.
using RetryRule = std::function<std::optional<Duration>(World&, int attempt, const Answer&)>;

RetryRule ExponentialFrom(Duration first, int most);
// The server's time where it is at most `most_wait`; else an exponential one up to 8 s.
RetryRule RetryAfterUpTo(Duration most_wait, int most);
RetryRule RetryAfterWithoutEnd();

std::unique_ptr<Policy> MakeRetrying(World& world, Provider& provider, RetryRule rule);

}  // namespace holdfast::bench
