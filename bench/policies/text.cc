#include "bench/policies/text.h"

#include <cmath>

namespace holdfast::bench {

// Log-normal on either side of the median, with a spread of its own on each.
double DrawCharacters(World& world, const TextKind& kind, double tokens) {
  constexpr double kNormalP95 = 1.645;
  constexpr double kFarthest = 2.5;
  const double z = std::clamp(std::normal_distribution<double>()(world.random), -kFarthest, kFarthest);
  const double spread = std::log(z < 0 ? kind.median / kind.p5 : kind.p95 / kind.median) / kNormalP95;
  const double bytes = tokens * 4 * kind.median * std::exp(z * spread);
  return bytes / kind.bytes_per_character;
}

}  // namespace holdfast::bench
