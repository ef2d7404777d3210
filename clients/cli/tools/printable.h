#pragma once

#include <string>
#include <string_view>

namespace holdfast::cli {

// Text from a model or a file, made safe to show on a terminal: valid UTF-8, control characters (escape sequences) and
// characters that reorder or hide text (bidirectional overrides, zero-width ones) written as escapes. Line feeds and
// tabs stay if `multi_line`.
std::string Printable(std::string_view text, bool multi_line = false);

}  // namespace holdfast::cli
