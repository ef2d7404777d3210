#include "agent_service/turn/patience.h"

#include <algorithm>

namespace holdfast::agent {

Duration PatienceLeft(const TurnState& turn, WallTime now) {
  const auto& bound = turn.started.max_wait();
  const double seconds = static_cast<double>(bound.seconds()) + bound.nanos() / 1e9;
  return std::max(Duration::zero(), FromSeconds(seconds - turn.waited_seconds - NotedWait(turn, now)));
}

}  // namespace holdfast::agent
