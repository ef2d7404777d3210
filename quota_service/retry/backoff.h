#pragma once

#include <functional>
#include <optional>

#include "common/base/clock.h"

namespace holdfast::quota {

// A number in [0, 1), from a uniform distribution. Injected, so that waits can be tested.
using Uniform = std::function<double()>;

// How long to stay away from an upstream that has no capacity or cannot be reached.
struct BackoffPolicy {
  Duration base = std::chrono::milliseconds(500);
  Duration cap = std::chrono::seconds(30);
};

// Uniform in [0, min(cap, base * 2^attempt)] ("full jitter", AWS Architecture Blog, "Exponential Backoff and Jitter").
// `attempt`: failures in a row before this one, from 0.
Duration FullJitter(const BackoffPolicy& policy, int attempt, const Uniform& uniform);

// Uniform in [least, 1.5 least] (Envoy's jittered lower bound): never sooner than the server asked, and not all at
// once.
Duration JitteredLowerBound(Duration least, const Uniform& uniform);

// The two joined: full jitter; where the server named a delay, never less than its jittered lower bound. The
// exponential part stays in force, so that a server which says "1 ms" for ever is not hammered.
Duration NextBackoff(const BackoffPolicy& policy, int attempt, std::optional<Duration> server_minimum,
                     const Uniform& uniform);

}  // namespace holdfast::quota
