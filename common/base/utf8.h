#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

bool IsValidUtf8(std::string_view bytes);

// Every maximal invalid sequence becomes U+FFFD, as the Unicode standard recommends (chapter 3, "U+FFFD substitution of
// maximal subparts").
std::string RepairUtf8(std::string_view bytes);

// Code points; an invalid byte counts as one.
int64_t CountCodePoints(std::string_view utf8);

// The longest prefix of at most `max_bytes` that does not cut a code point.
std::string_view TruncateUtf8(std::string_view utf8, size_t max_bytes);

// Head and tail of `text` with a line between them that says how many bytes were left out; at most `max_bytes` in all.
std::string KeepHeadAndTail(std::string_view utf8, size_t max_bytes);

}  // namespace holdfast
