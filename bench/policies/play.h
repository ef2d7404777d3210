#pragma once

#include <vector>

#include "bench/policies/policy.h"
#include "bench/policies/workload.h"

namespace holdfast::bench {

struct LimitChange {
  Duration after;  // from the beginning
  double tokens_per_minute;
};

struct Scenario {
  std::string name;
  std::string about;
  ProviderOptions provider;
  WorkloadOptions workload;
  std::vector<LimitChange> changes;
};

// The same seed, the same world. `on_call`, where given, is told of each call that has ended.
Result Play(const PolicyMaker& policy, const Scenario& scenario, uint64_t seed, const Workload::OnCall& on_call = {});

}  // namespace holdfast::bench
