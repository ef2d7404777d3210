#include "quota_service/provider/json_read.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <cctype>
#include <cmath>
#include <exception>
#include <limits>

#include "common/base/utf8.h"

namespace holdfast::quota {
namespace {

constexpr std::string_view kReplacementEscape = "\\ufffd";
constexpr size_t kEscapeLength = 6;  // \uXXXX

std::optional<boost::json::value> ParseStrictly(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 128;
  boost::json::error_code error;
  try {
    boost::json::value value = boost::json::parse(text, error, {}, options);
    if (error) return std::nullopt;
    return value;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// The code unit of a \uXXXX escape at the start of `s`.
std::optional<unsigned> EscapedUnit(std::string_view s) {
  if (s.size() < kEscapeLength || s[0] != '\\' || s[1] != 'u') return std::nullopt;
  unsigned unit = 0;
  for (const char c : s.substr(2, 4)) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    unit = unit * 16 + static_cast<unsigned>(digit);
  }
  return unit;
}

bool IsHighSurrogate(std::optional<unsigned> unit) { return unit && *unit >= 0xD800 && *unit <= 0xDBFF; }
bool IsLowSurrogate(std::optional<unsigned> unit) { return unit && *unit >= 0xDC00 && *unit <= 0xDFFF; }

std::string ReplaceLoneSurrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    size_t length = 1;
    if (text[0] == '\\') {
      const std::optional<unsigned> unit = EscapedUnit(text);
      if (IsHighSurrogate(unit) && IsLowSurrogate(EscapedUnit(text.substr(kEscapeLength)))) {
        length = 2 * kEscapeLength;
      } else if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
        out.append(kReplacementEscape);
        text.remove_prefix(kEscapeLength);
        continue;
      } else {
        length = std::min<size_t>(text.size(), unit ? kEscapeLength : 2);
      }
    }
    out.append(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::optional<boost::json::value> ParseJson(std::string_view text) {
  if (auto value = ParseStrictly(text)) return value;
  const std::string repaired = ReplaceLoneSurrogates(RepairUtf8(text));
  if (repaired == text) return std::nullopt;
  return ParseStrictly(repaired);
}

const boost::json::value* Find(const boost::json::value* value, std::string_view key) {
  const boost::json::object* object = value == nullptr ? nullptr : value->if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}

const boost::json::value* FindObject(const boost::json::value* value, std::string_view key) {
  const boost::json::value* member = Find(value, key);
  return member != nullptr && member->is_object() ? member : nullptr;
}

const boost::json::array& FindArray(const boost::json::value* value, std::string_view key) {
  static const boost::json::array kEmpty;
  const boost::json::value* member = Find(value, key);
  return member != nullptr && member->is_array() ? *member->if_array() : kEmpty;
}

std::string_view Text(const boost::json::value* value) {
  const boost::json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::string_view FindText(const boost::json::value* value, std::string_view key) { return Text(Find(value, key)); }

std::string FindCode(const boost::json::value* value, std::string_view key) {
  if (const std::optional<int64_t> number = FindInteger(value, key)) return fmt::format("{}", *number);
  return std::string(FindText(value, key));
}

std::optional<int64_t> FindInteger(const boost::json::value* value, std::string_view key) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const boost::json::value* member = Find(value, key);
  if (member == nullptr) return std::nullopt;
  if (const int64_t* number = member->if_int64()) return *number;
  if (member->is_uint64()) return kMax;  // Boost.JSON uses it only for what does not fit an int64_t
  const double* number = member->if_double();
  if (number == nullptr || std::isnan(*number)) return std::nullopt;
  if (*number >= 9.2e18) return kMax;
  if (*number <= -9.2e18) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(*number);
}

}  // namespace holdfast::quota
