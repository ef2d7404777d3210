#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::quota {

// Reading JSON that somebody else wrote: any field may be missing, null or of another type, and then counts as absent.
// Nothing here throws.

// At most 128 levels deep. Bytes that are not UTF-8 and escapes that are half a surrogate pair become U+FFFD.
std::optional<boost::json::value> ParseJson(std::string_view text);

// The member `key` of an object. Null where `value` is null or no object, or has no such member.
const boost::json::value* Find(const boost::json::value* value, std::string_view key);
const boost::json::value* FindObject(const boost::json::value* value, std::string_view key);
// The elements of the member `key`; an empty array where it is none.
const boost::json::array& FindArray(const boost::json::value* value, std::string_view key);

// Views into `value`; empty where it is no string.
std::string_view Text(const boost::json::value* value);
std::string_view FindText(const boost::json::value* value, std::string_view key);
// A string as it is, a number as digits; else empty. For codes, which come as either.
std::string FindCode(const boost::json::value* value, std::string_view key);
// Integers however they are written (3, 3.0). Absent where there is no number.
std::optional<int64_t> FindInteger(const boost::json::value* value, std::string_view key);

}  // namespace holdfast::quota
