#include "quota_service/retry/delay_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};

// Go's duration units, and the words that people use.
constexpr Unit kUnits[] = {
    {"d", 86400},
    {"day", 86400},
    {"days", 86400},
    {"h", 3600},
    {"hr", 3600},
    {"hrs", 3600},
    {"hour", 3600},
    {"hours", 3600},
    {"m", 60},
    {"min", 60},
    {"mins", 60},
    {"minute", 60},
    {"minutes", 60},
    {"s", 1},
    {"sec", 1},
    {"secs", 1},
    {"second", 1},
    {"seconds", 1},
    {"ms", 1e-3},
    {"millisecond", 1e-3},
    {"milliseconds", 1e-3},
    {"us", 1e-6},
    {"\u00B5s", 1e-6},
    {"\u03BCs", 1e-6},
    {"ns", 1e-9},
};

bool IsUnitByte(char c) { return IsAsciiLetter(c) || static_cast<unsigned char>(c) >= 0x80; }

std::optional<Scanned<double>> ScanUnit(std::string_view text) {
  constexpr size_t kLongestUnit = 12;
  char lower[kLongestUnit];
  size_t length = 0;
  while (length < text.size() && IsUnitByte(text[length])) {
    if (length == kLongestUnit) return std::nullopt;
    const char c = text[length];
    lower[length++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const Unit& unit : kUnits) {
    if (unit.name == std::string_view(lower, length)) return Scanned<double>{unit.seconds, length};
  }
  return std::nullopt;
}

size_t CountBlanks(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && (text[count] == ' ' || text[count] == '\t')) ++count;
  return count;
}

// Between "1 minute" and "30 seconds": blanks, a comma, "and".
size_t SeparatorLength(std::string_view text) {
  size_t length = 0;
  if (text.starts_with(',')) ++length;
  length += CountBlanks(text.substr(length));
  if (text.substr(length).starts_with("and ")) length += 4;
  return length + CountBlanks(text.substr(length));
}

std::optional<Duration> PlausibleDelay(double seconds) {
  if (!(seconds >= 0) || seconds > ToSeconds(kLongestServerDelay)) return std::nullopt;
  return Duration(std::llround(seconds * 1e9));
}

}  // namespace

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<Scanned<double>> ScanDecimal(std::string_view text) {
  constexpr size_t kLongestNumber = 24;
  size_t length = 0;
  while (length < text.size() && IsAsciiDigit(text[length])) {
    if (++length > kLongestNumber) return std::nullopt;
  }
  if (length == 0) return std::nullopt;
  if (length + 1 < text.size() && text[length] == '.' && IsAsciiDigit(text[length + 1])) {
    ++length;
    while (length < text.size() && IsAsciiDigit(text[length])) {
      if (++length > kLongestNumber) return std::nullopt;
    }
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + length) return std::nullopt;
  return Scanned<double>{value, length};
}

std::optional<Scanned<Duration>> ScanDuration(std::string_view text) {
  double seconds = 0;
  double last_unit = std::numeric_limits<double>::infinity();
  size_t accepted = 0;
  size_t at = 0;
  while (at < text.size()) {
    const auto number = ScanDecimal(text.substr(at));
    if (!number) break;
    at += number->length;
    at += CountBlanks(text.substr(at));
    const auto unit = ScanUnit(text.substr(at));
    if (!unit || unit->value >= last_unit) break;
    seconds += number->value * unit->value;
    last_unit = unit->value;
    at += unit->length;
    accepted = at;
    at += SeparatorLength(text.substr(at));
  }
  if (accepted == 0) return std::nullopt;
  if (accepted < text.size() && (IsAsciiDigit(text[accepted]) || text[accepted] == '_')) return std::nullopt;
  const auto delay = PlausibleDelay(seconds);
  if (!delay) return std::nullopt;
  return Scanned<Duration>{*delay, accepted};
}

std::optional<Duration> ParseServerDuration(std::string_view text) {
  text = TrimBlanks(text);
  if (const auto bare = ScanDecimal(text); bare && bare->length == text.size()) return PlausibleDelay(bare->value);
  const auto scanned = ScanDuration(text);
  if (!scanned || scanned->length != text.size()) return std::nullopt;
  return scanned->value;
}

std::optional<Duration> ParseRetryAfter(std::string_view value, WallTime server_now) {
  if (const auto delay = ParseServerDuration(value)) return delay;
  auto moment = ParseHttpDate(value);
  if (!moment) moment = ParseRfc3339(value);
  if (!moment) return std::nullopt;
  return UntilMoment(*moment, server_now);
}

std::optional<Duration> UntilMoment(WallTime moment, WallTime server_now) {
  if (moment <= server_now) return Duration::zero();
  const auto delay = std::chrono::duration_cast<Duration>(moment - server_now);
  if (delay > kLongestServerDelay) return std::nullopt;
  return delay;
}

}  // namespace holdfast::quota
