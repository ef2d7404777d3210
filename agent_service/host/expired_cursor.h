#pragma once

#include <string>

#include "agent_service/session/session_state.h"

namespace holdfast::agent {

// For a watcher whose cursor is beyond the log: the session as it is, with the newest of its conversation.
v1::CursorExpired ExpiredCursor(const std::string& session_id, const SessionState& state);

}  // namespace holdfast::agent
