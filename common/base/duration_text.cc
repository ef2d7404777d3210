#include "common/base/duration_text.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

namespace holdfast {
namespace {

constexpr int kMostDays = 10 * 366;

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
  if (seconds > kMostDays * 86400.0) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is too long; at most {}d, ten years", text, kMostDays));
  }
  return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

std::string FormatDuration(Duration d) {
  // In whole numbers, so that what is shown is never a binary fraction less.
  const int64_t ms = std::chrono::floor<std::chrono::milliseconds>(d).count();
  if (ms < 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 10'000) return fmt::format("{}.{}s", ms / 1000, ms % 1000 / 100);
  const int64_t whole = ms / 1000;
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

}  // namespace holdfast
