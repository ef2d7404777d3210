#include "agent_service/session/timestamp.h"

#include <chrono>

namespace holdfast::agent {

WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(timestamp.seconds()) +
                                                                 std::chrono::nanoseconds(timestamp.nanos())));
}

void SetTimestamp(WallTime time, google::protobuf::Timestamp* out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out->set_seconds(seconds.time_since_epoch().count());
  out->set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(time - seconds).count()));
}

}  // namespace holdfast::agent
