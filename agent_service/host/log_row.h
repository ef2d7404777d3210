#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent_service/store/store.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// An event as the store keeps it: without its sequence, which the store gives.
LogRow RowOfEvent(const v1::SessionEvent& event, WallTime time);
// What lists show of a session whose id is in its summary. `running`: to be taken up at start.
SessionRow RowOfSession(const std::string& tenant, const v1::Session& summary, bool running);
// DATA_LOSS: the bytes are not an event.
absl::StatusOr<v1::SessionEvent> EventOfRow(const LogRow& row);

}  // namespace holdfast::agent
