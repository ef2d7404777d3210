#pragma once

#include "agent_service/session/session_state.h"
#include "common/base/clock.h"

namespace holdfast::agent {

// What is left of the turn's `max_wait` at `now`, from the log alone; at least zero. Waits of answered calls count as
// they were reported. The wait of the present call counts from its first note until the end that its last note names,
// or until `now`: what comes after that end is the call running, which the bound does not cover.
Duration PatienceLeft(const TurnState& turn, WallTime now);

}  // namespace holdfast::agent
