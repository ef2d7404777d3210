#pragma once

#include <cstdint>
#include <vector>

namespace holdfast::quota {

// How long the last answers were that say something about the next one. Tokens, in no order.
struct KnownAnswers {
  std::vector<int32_t> own = {};    // of its session
  std::vector<int32_t> alike = {};  // of all sessions like it
};

}  // namespace holdfast::quota
