#pragma once

#include <string>

#include "agent_service/session/session_state.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// What a turn does next, decided from the log alone, so that a restarted agent_service decides the same.
struct NextStep {
  enum class Kind {
    kIdle,       // no turn runs
    kBeginCall,  // commit `call`, then send it
    kAwaitCall,  // the call was begun: attach to it
    kAwaitTools,
    kUpdatePlan,       // commit `end`, plan_updated, the result of the model's call
    kAwaitCompaction,  // the call that compacts the context was begun: attach to it. A turn may run or not
    kEnd,              // commit `end`
  };
  Kind kind = Kind::kIdle;
  v1::ModelCallStarted call;
  v1::SessionEvent end;  // turn_completed, turn_failed or plan_updated
};

//   user message ─▶ model call ─▶ answer ─▶ tool calls? ──no──▶ completed
//                      ▲                        │ yes
//                      └──── all have results ◀─┘
NextStep DecideNextStep(const std::string& session_id, const SessionState& state);

}  // namespace holdfast::agent
