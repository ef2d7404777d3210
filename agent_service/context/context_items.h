#pragma once

#include <vector>

#include "agent_service/session/session_state.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::agent {

// What of a tool's output reaches the model; the log keeps the rest.
inline constexpr size_t kMostToolOutputBytes = 64 * 1024;

// The conversation as the model is to read it now: through the newest compaction (docs/adr/0011), tool outputs cut.
std::vector<quota::v1::Item> ContextItems(const SessionState& state);
// The same, seen through another view of the same conversation.
std::vector<quota::v1::Item> ContextItems(const std::vector<quota::v1::Item>& conversation, const ContextView& view);

}  // namespace holdfast::agent
