#include "clients/cli/terminal/json_lines.h"

#include <boost/json/serialize.hpp>
#include <cmath>
#include <string>

#include "clients/cli/terminal/wait_line.h"
#include "google/protobuf/util/time_util.h"

namespace holdfast::cli {

boost::json::string JsonText(std::string_view text) { return boost::json::string(text.data(), text.size()); }

void WriteJsonLine(Screen& screen, const boost::json::object& object) {
  screen.Out(boost::json::serialize(object) + "\n");
}

boost::json::object UsageJson(const quota::v1::Usage& usage) {
  return {{"input_tokens", usage.input_tokens()},
          {"cached_input_tokens", usage.cached_input_tokens()},
          {"output_tokens", usage.output_tokens()},
          {"reasoning_tokens", usage.reasoning_tokens()}};
}

boost::json::object WaitJson(const quota::v1::Wait& wait) {
  boost::json::object object{
      {"type", "wait"},
      {"reason", JsonText(WaitReasonName(wait.reason()))},
      {"scope", wait.scope()},
      {"dimension", wait.dimension()},
      {"limit", wait.limit()},
      {"window_seconds", wait.window_seconds()},
      {"used", wait.used()},
      {"requested", wait.requested()},
      {"seconds", std::isfinite(wait.seconds()) ? wait.seconds() : 0},
      {"least_seconds", nullptr},
      {"most_seconds", nullptr},
      {"retry_at", nullptr},
      {"position", wait.position()},
      {"attempt", wait.attempt()},
  };
  if (wait.most_seconds() > 0 && std::isfinite(wait.least_seconds()) && std::isfinite(wait.most_seconds())) {
    object["least_seconds"] = wait.least_seconds();
    object["most_seconds"] = wait.most_seconds();
  }
  if (wait.has_retry_at()) object["retry_at"] = TimeText(wait.retry_at());
  if (!wait.detail().empty()) object["detail"] = wait.detail();
  return object;
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  using google::protobuf::util::TimeUtil;
  if (time.seconds() < TimeUtil::kTimestampMinSeconds || time.seconds() > TimeUtil::kTimestampMaxSeconds ||
      time.nanos() < 0 || time.nanos() > 999'999'999 || (time.seconds() == 0 && time.nanos() == 0)) {
    return {};
  }
  return TimeUtil::ToString(time);
}

}  // namespace holdfast::cli
