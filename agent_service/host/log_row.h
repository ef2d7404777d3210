#pragma once

#include "absl/status/statusor.h"
#include "agent_service/store/store.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// An event as the store keeps it: without its sequence, which the store gives.
LogRow RowOfEvent(const v1::SessionEvent& event, WallTime time);
// DATA_LOSS: the bytes are not an event.
absl::StatusOr<v1::SessionEvent> EventOfRow(const LogRow& row);

}  // namespace holdfast::agent
