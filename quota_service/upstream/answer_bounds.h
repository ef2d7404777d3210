#pragma once

#include <cstddef>

namespace holdfast::quota {

// The most that the headers of an answer may be, in bytes: status lines, interim answers and trailers included.
inline constexpr size_t kMostAnswerHeaderBytes = 256 * 1024;

}  // namespace holdfast::quota
