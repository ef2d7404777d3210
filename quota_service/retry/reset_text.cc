// When exhausted quota comes back, where the provider says it as a moment.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "quota_service/retry/delay_text.h"
#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMostTextRead = 8 * 1024;

// Whether `text` begins as `shape` does, where '9' is any digit.
bool HasShape(std::string_view text, std::string_view shape) {
  return text.size() >= shape.size() && std::equal(shape.begin(), shape.end(), text.begin(), [](char wanted, char c) {
           return wanted == '9' ? IsAsciiDigit(c) : wanted == c;
         });
}

// What joins a date and its time.
size_t JoinLength(std::string_view text) {
  for (const std::string_view join : {" at ", " ", "T", "t"}) {
    if (text.starts_with(join)) return join.size();
  }
  return 0;
}

// As RFC 3339 has it: "Z" or "+08:00".
std::string_view ZoneOf(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(std::min(text.size(), text.find_first_not_of("0123456789", 1)));
  for (const std::string_view utc : {"Z", "z", " UTC", " GMT", " Z"}) {
    if (text.starts_with(utc)) return "Z";
  }
  constexpr size_t kOffsetLength = 6;
  if (HasShape(text, "+99:99") || HasShape(text, "-99:99")) return text.substr(0, kOffsetLength);
  return "+08:00";
}

// A date and a time at the start of `text`.
std::optional<WallTime> ScanMoment(std::string_view text) {
  constexpr std::string_view kDate = "9999-99-99";
  constexpr std::string_view kMinutes = "99:99";
  constexpr std::string_view kSeconds = ":99";
  if (!HasShape(text, kDate)) return std::nullopt;
  const std::string_view date = text.substr(0, kDate.size());
  text.remove_prefix(kDate.size());
  text.remove_prefix(JoinLength(text));
  if (!HasShape(text, kMinutes)) return std::nullopt;
  const std::string_view minutes = text.substr(0, kMinutes.size());
  text.remove_prefix(kMinutes.size());
  const std::string_view seconds = HasShape(text, kSeconds) ? text.substr(0, kSeconds.size()) : ":00";
  if (HasShape(text, kSeconds)) text.remove_prefix(kSeconds.size());
  return ParseRfc3339(fmt::format("{}T{}{}{}", date, minutes, seconds, ZoneOf(text)));
}

}  // namespace

std::optional<WallTime> ParseResetMoment(std::string_view message) {
  const std::string_view text = message.substr(0, kMostTextRead);
  constexpr std::string_view kResets[] = {"reset", "Reset", "regain", "\u91cd\u7f6e"};
  const bool speaks =
      std::ranges::any_of(kResets, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
  if (!speaks) return std::nullopt;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && IsAsciiDigit(text[at - 1])) continue;
    if (const auto moment = ScanMoment(text.substr(at))) return moment;
  }
  return std::nullopt;
}

}  // namespace holdfast::quota
