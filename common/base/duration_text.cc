#include "common/base/duration_text.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

namespace holdfast {
namespace {

absl::Status Bad(std::string_view text) {
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is not a duration; write for example 250ms, 3.5s, 15m or 1h30m", text));
}

}  // namespace

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration::zero();
  if (text.empty()) return Bad(text);
  double seconds = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number) || number < 0 || rest[0] == '-') return Bad(text);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && std::isalpha(static_cast<unsigned char>(rest[letters]))) ++letters;
    const std::string_view unit = rest.substr(0, letters);
    if (unit == "ms") {
      seconds += number / 1000;
    } else if (unit == "s") {
      seconds += number;
    } else if (unit == "m") {
      seconds += number * 60;
    } else if (unit == "h") {
      seconds += number * 3600;
    } else if (unit == "d") {
      seconds += number * 86400;
    } else {
      return Bad(text);
    }
    rest.remove_prefix(letters);
  }
  constexpr double kTenYears = 10 * 366 * 86400.0;
  if (seconds > kTenYears) return Bad(text);
  return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

std::string FormatDuration(Duration d) {
  const double seconds = ToSeconds(d);
  if (seconds < 0) return "0s";
  if (seconds < 1) return fmt::format("{}ms", static_cast<int64_t>(seconds * 1000));
  if (seconds < 10) return fmt::format("{:.1f}s", std::floor(seconds * 10) / 10);
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

}  // namespace holdfast
