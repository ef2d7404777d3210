#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/policies/play.h"

namespace holdfast::bench {

// A figure that is required of Holdfast, and what was measured: the worst and the best seed.
struct Verdict {
  std::string measure;
  std::string where;
  std::string required;
  std::string measured;
  bool holds = false;  // for every seed
};

// Plays what it takes under `policy`, seeds 1 to `seeds`; minutes. `progress` is told what is played.
std::vector<Verdict> Judge(const PolicyMaker& policy, int seeds,
                           const std::function<void(const std::string&)>& progress);

std::string TableOf(const std::vector<Verdict>& verdicts);

}  // namespace holdfast::bench
