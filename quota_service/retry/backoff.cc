#include "quota_service/retry/backoff.h"

#include <algorithm>
#include <cmath>

namespace holdfast::quota {

Duration FullJitter(const BackoffPolicy& policy, int attempt, const Uniform& uniform) {
  const double grown = std::ldexp(ToSeconds(policy.base), std::clamp(attempt, 0, 64));
  return FromSeconds(uniform() * std::min(grown, ToSeconds(policy.cap)));
}

Duration JitteredLowerBound(Duration least, const Uniform& uniform) {
  if (least <= Duration::zero()) return Duration::zero();
  return least + FromSeconds(uniform() * 0.5 * ToSeconds(least));
}

Duration NextBackoff(const BackoffPolicy& policy, int attempt, std::optional<Duration> server_minimum,
                     const Uniform& uniform) {
  const Duration own = FullJitter(policy, attempt, uniform);
  if (!server_minimum) return own;
  return std::max(own, JitteredLowerBound(*server_minimum, uniform));
}

}  // namespace holdfast::quota
