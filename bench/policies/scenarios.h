#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/policies/play.h"

namespace holdfast::bench {

// All at 200,000 tokens a minute, except where the name says otherwise.
std::vector<Scenario> Scenarios();
std::optional<Scenario> FindScenario(const std::string& name);
// The same at another limit: as many more sessions, and requests a minute.
Scenario At(Scenario scenario, double tokens_per_minute);

}  // namespace holdfast::bench
