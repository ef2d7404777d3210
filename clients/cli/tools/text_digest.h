#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::cli {

// Tells contents apart that an accident brought together, across runs of the program: length and FNV-1a, 64 bits. Not
// against somebody who looks for collisions.
inline std::string TextDigest(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return fmt::format("{}:{:016x}", text.size(), hash);
}

}  // namespace holdfast::cli
