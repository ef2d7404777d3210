#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::cli {

// Columns that one code point takes on a terminal: two for what East Asian fonts draw wide and for emoji, none for
// marks that combine with the character before, else one. `utf8` is one code point, valid.
size_t ColumnsOf(std::string_view utf8);

}  // namespace holdfast::cli
