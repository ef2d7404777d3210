#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace holdfast::quota {

// A longer wait than this is nonsense, or an attack on the caller's patience.
inline constexpr Duration kLongestServerDelay = std::chrono::hours(31 * 24);

inline bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// `text` without spaces and tabs at both ends.
std::string_view TrimBlanks(std::string_view text);

// What was read at the start of a text, and how many bytes it took.
template <typename T>
struct Scanned {
  T value;
  size_t length;
};

// Digits with an optional fraction: "45", "3.646". No sign, no exponent, at most 24 bytes.
std::optional<Scanned<double>> ScanDecimal(std::string_view text);

// Numbers with units, the larger units first: "6m0s", "80ms", "1 minute and 30 seconds". A number without a unit is not
// part of it. At most kLongestServerDelay.
std::optional<Scanned<Duration>> ScanDuration(std::string_view text);

}  // namespace holdfast::quota
