#include "agent_service/host/log_row.h"

#include <fmt/format.h>

#include "agent_service/session/timestamp.h"

namespace holdfast::agent {

LogRow RowOfEvent(const v1::SessionEvent& event, WallTime time) {
  LogRow row;
  row.time = time;
  row.type = static_cast<int32_t>(event.kind_case());
  v1::SessionEvent stored = event;
  stored.clear_sequence();
  stored.clear_time();
  row.bytes = stored.SerializeAsString();
  return row;
}

SessionRow RowOfSession(const std::string& tenant, const v1::Session& summary, bool running) {
  SessionRow row;
  row.tenant = tenant;
  row.session_id = summary.session_id();
  row.title = summary.title();
  row.model = summary.model();
  row.workspace = summary.workspace();
  row.created = FromTimestamp(summary.created());
  row.updated = FromTimestamp(summary.updated());
  row.running = running;
  row.summary = summary.SerializeAsString();
  return row;
}

absl::StatusOr<v1::SessionEvent> EventOfRow(const LogRow& row) {
  v1::SessionEvent event;
  if (!event.ParseFromString(row.bytes)) {
    return absl::DataLossError(fmt::format("event {} of the session's log is damaged", row.sequence));
  }
  event.set_sequence(row.sequence);
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(row.time.time_since_epoch()).count();
  event.mutable_time()->set_seconds(microseconds / 1'000'000);
  event.mutable_time()->set_nanos(static_cast<int32_t>(microseconds % 1'000'000) * 1000);
  return event;
}

}  // namespace holdfast::agent
