#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "agent_service/store/store.h"

namespace holdfast::agent {

// What is stored beside a row of the log, so that bytes that changed on the disk are noticed: 64 bits of a SHA-256 over
// everything in the row, which has this sequence there, whatever `row.sequence` is.
int64_t RowCheck(std::string_view tenant, std::string_view session_id, int64_t sequence, const LogRow& row);

// Those of all events of an append, in their order.
std::vector<int64_t> RowChecks(const AppendRequest& request);

}  // namespace holdfast::agent
