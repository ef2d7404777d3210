#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::cli {

// The most columns that one code point takes on a terminal: two for what East Asian fonts draw wide and for emoji, else
// one; also for marks that combine, of which a hostile text may have any number. `utf8` is one code point, valid.
size_t ColumnsOf(std::string_view utf8);

}  // namespace holdfast::cli
