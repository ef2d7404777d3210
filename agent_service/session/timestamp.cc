#include "agent_service/session/timestamp.h"

#include <chrono>

namespace holdfast::agent {

WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  using std::chrono::seconds;
  constexpr seconds kFirst = std::chrono::sys_days(std::chrono::year(1950) / 1 / 1).time_since_epoch();
  constexpr seconds kLast = std::chrono::sys_days(std::chrono::year(2200) / 1 / 1).time_since_epoch();
  const seconds whole(timestamp.seconds());
  if (whole < kFirst) return WallTime(kFirst);
  if (whole >= kLast) return WallTime(kLast);
  return WallTime(whole + std::chrono::nanoseconds(timestamp.nanos()));
}

void SetTimestamp(WallTime time, google::protobuf::Timestamp* out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out->set_seconds(seconds.time_since_epoch().count());
  out->set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(time - seconds).count()));
}

}  // namespace holdfast::agent
