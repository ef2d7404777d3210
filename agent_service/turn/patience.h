#pragma once

#include "agent_service/session/session_state.h"
#include "common/base/clock.h"

namespace holdfast::agent {

// What is left of the turn's `max_wait` at `now`, from the log alone; at least zero. Waits of answered calls count as
// they were reported, those of the present call as they were noted (NotedWait); its running the bound does not cover.
Duration PatienceLeft(const TurnState& turn, WallTime now);

}  // namespace holdfast::agent
