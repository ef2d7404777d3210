#pragma once

#include <memory>

#include "bench/policies/policy.h"

namespace holdfast::bench {

// One LimitGroup of quota_service before all sessions. `fair`: turns by tenant and session; else first in, first out.
std::unique_ptr<Policy> MakeCentral(World& world, Provider& provider, const ProviderOptions& options, bool fair);

}  // namespace holdfast::bench
