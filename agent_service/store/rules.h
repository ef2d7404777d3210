#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "agent_service/store/store.h"

// What every implementation of Store decides alike.
namespace holdfast::agent {

// Read stops before the row that would pass this many bytes, unless it is the first.
inline constexpr size_t kMaxReadBytes = size_t{8} << 20;
// ListSessions returns no more sessions than this, whatever is asked.
inline constexpr int kMaxPageSize = 1000;

// What the store knows of a session before an append.
struct SessionHead {
  int64_t last_sequence = 0;
  int64_t generation = 0;
};

// INVALID_ARGUMENT, naming the field, for a request that no state of the store could accept.
absl::Status CheckAppend(const AppendRequest& request);
absl::Status CheckRead(std::string_view tenant, std::string_view session_id, int limit);
absl::Status CheckList(std::string_view tenant, int page_size);

// Whether `request` may follow `head`; nullopt: the store has no such session. ABORTED or NOT_FOUND (an append to a
// session that is not there, such as a deleted one).
absl::Status CheckHead(const AppendRequest& request, const std::optional<SessionHead>& head);

absl::Status NoSuchSession(std::string_view session_id);

// Rounded towards the past.
int64_t ToMicros(WallTime time);
WallTime FromMicros(int64_t micros);

}  // namespace holdfast::agent
