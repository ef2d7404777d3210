#include "agent_service/store/rules.h"

#include <fmt/format.h>

#include <chrono>

namespace holdfast::agent {
namespace {

absl::Status CheckKey(std::string_view tenant, std::string_view session_id) {
  if (tenant.empty()) return absl::InvalidArgumentError("tenant is empty: name the tenant that owns the session");
  if (session_id.empty()) return absl::InvalidArgumentError("session_id is empty: name a session");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAppend(const AppendRequest& request) {
  if (absl::Status status = CheckKey(request.session.tenant, request.session.session_id); !status.ok()) return status;
  if (request.events.empty()) return absl::InvalidArgumentError("events is empty: an append has at least one event");
  if (request.expected_sequence < 0) {
    return absl::InvalidArgumentError(fmt::format(
        "expected_sequence is {}: give 0 for a new session, else its last sequence", request.expected_sequence));
  }
  return absl::OkStatus();
}

absl::Status CheckRead(std::string_view tenant, std::string_view session_id, int limit) {
  if (absl::Status status = CheckKey(tenant, session_id); !status.ok()) return status;
  if (limit < 1) return absl::InvalidArgumentError(fmt::format("limit is {}: ask for at least one event", limit));
  return absl::OkStatus();
}

absl::Status CheckList(std::string_view tenant, int page_size) {
  if (tenant.empty()) return absl::InvalidArgumentError("tenant is empty: name the tenant whose sessions to list");
  if (page_size < 1) {
    return absl::InvalidArgumentError(fmt::format("page_size is {}: ask for at least one session", page_size));
  }
  return absl::OkStatus();
}

absl::Status CheckHead(const AppendRequest& request, const std::optional<SessionHead>& head) {
  const std::string& id = request.session.session_id;
  if (!head.has_value()) {
    if (request.expected_sequence == 0) return absl::OkStatus();
    return NoSuchSession(id);
  }
  if (request.generation < head->generation) {
    return absl::AbortedError(fmt::format("session {} was taken over by generation {}; this writer is of generation {}",
                                          id, head->generation, request.generation));
  }
  if (request.expected_sequence != head->last_sequence) {
    return absl::AbortedError(fmt::format("session {} is at sequence {}, not {}: read what was added and try again", id,
                                          head->last_sequence, request.expected_sequence));
  }
  return absl::OkStatus();
}

absl::Status NoSuchSession(std::string_view session_id) {
  return absl::NotFoundError(fmt::format("no session {}", session_id));
}

int64_t ToMicros(WallTime time) {
  return std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
}

WallTime FromMicros(int64_t micros) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(micros)));
}

}  // namespace holdfast::agent
