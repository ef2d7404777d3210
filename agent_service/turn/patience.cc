#include "agent_service/turn/patience.h"

#include <algorithm>

#include "agent_service/session/timestamp.h"

namespace holdfast::agent {

Duration PatienceLeft(const TurnState& turn, WallTime now) {
  const auto& bound = turn.started.max_wait();
  Duration left = std::max(
      Duration::zero(), FromSeconds(static_cast<double>(bound.seconds()) + bound.nanos() / 1e9 - turn.waited_seconds));
  if (turn.wait) {
    const WallTime end = std::min(now, FromTimestamp(turn.wait->wait().retry_at()));
    left -= std::max(Duration::zero(), Duration(end - FromTimestamp(turn.first_wait_time)));
  }
  return std::max(Duration::zero(), left);
}

}  // namespace holdfast::agent
