#include "clients/cli/terminal/wait_line.h"

#include <fmt/format.h>

#include <cmath>

#include "common/base/clock.h"
#include "common/base/duration_text.h"

namespace holdfast::cli {
namespace {

using quota::v1::Wait;

std::string Window(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (static_cast<double>(whole) != seconds) return fmt::format("{}s", seconds);
  if (whole % 3600 == 0) return fmt::format("{}h", whole / 3600);
  if (whole % 60 == 0) return fmt::format("{}m", whole / 60);
  return fmt::format("{}s", whole);
}

std::string Cause(const Wait& wait) {
  const std::string detail = wait.detail().empty() ? "" : fmt::format(" ({})", wait.detail());
  switch (wait.reason()) {
    case quota::v1::WAIT_REASON_RATE_LIMIT:
      if (wait.dimension().empty() || wait.limit() <= 0) return "rate limited" + detail;
      return fmt::format("rate limited ({} {}: {} used, {} needed)", LimitName(wait.dimension(), wait.window_seconds()),
                         wait.limit(), wait.used(), wait.requested());
    case quota::v1::WAIT_REASON_UPSTREAM_REFUSED:
      return "upstream refused" + detail;
    case quota::v1::WAIT_REASON_BACKOFF:
      return "upstream failed" + detail;
    case quota::v1::WAIT_REASON_LEARNING:
      return "learning the limits from one call that went ahead";
    case quota::v1::WAIT_REASON_QUOTA_SERVICE:
      return "quota_service unreachable" + detail;
    case quota::v1::WAIT_REASON_BUDGET:
      return fmt::format("budget of the day ({} tokens: {} used, {} needed)", wait.limit(), wait.used(),
                         wait.requested());
    default:
      return "waiting" + detail;
  }
}

bool TriesAgain(quota::v1::WaitReason reason) {
  return reason == quota::v1::WAIT_REASON_UPSTREAM_REFUSED || reason == quota::v1::WAIT_REASON_BACKOFF ||
         reason == quota::v1::WAIT_REASON_QUOTA_SERVICE;
}

// To the nearest tenth where tenths are shown: 3.592 s is 3.6 s to people.
Duration Shown(double seconds) {
  if (seconds < 1 || seconds >= 10) return FromSeconds(seconds);
  return std::chrono::milliseconds(std::llround(seconds * 10) * 100);
}

}  // namespace

std::string LimitName(std::string_view dimension, double window_seconds) {
  if (window_seconds <= 0) return std::string(dimension);
  if (window_seconds == 60 && dimension == "tokens") return "TPM";
  if (window_seconds == 60 && dimension == "requests") return "RPM";
  return fmt::format("{} per {}", dimension, Window(window_seconds));
}

std::string WaitLine(const Wait& wait, double seconds_left) {
  std::string line = Cause(wait);
  const bool again = TriesAgain(wait.reason());
  if (seconds_left > 0) {
    line += fmt::format(" · {} in {}", again ? "trying again" : "resuming", FormatDuration(Shown(seconds_left)));
  } else {
    line += again ? " · trying again now" : " · resuming now";
  }
  if (wait.position() > 0) line += fmt::format(" · position {}", wait.position());
  return line + " · context saved";
}

std::string_view WaitReasonName(quota::v1::WaitReason reason) {
  switch (reason) {
    case quota::v1::WAIT_REASON_RATE_LIMIT:
      return "rate_limit";
    case quota::v1::WAIT_REASON_UPSTREAM_REFUSED:
      return "upstream_refused";
    case quota::v1::WAIT_REASON_BACKOFF:
      return "backoff";
    case quota::v1::WAIT_REASON_LEARNING:
      return "learning";
    case quota::v1::WAIT_REASON_QUOTA_SERVICE:
      return "quota_service";
    case quota::v1::WAIT_REASON_BUDGET:
      return "budget";
    default:
      return "unspecified";
  }
}

}  // namespace holdfast::cli
