#pragma once

#include <array>

#include "bench/policies/world.h"

namespace holdfast::bench {

// A kind of text: how its bytes / 4 compare with its real tokens (o200k), piece by piece.
struct TextKind {
  const char* name;
  double p5;
  double median;
  double p95;
  double bytes_per_character;  // in UTF-8; gates count characters
};

// Measured medians and spreads. English and Chinese were measured without a spread: a tenth to either side is assumed.
inline constexpr std::array<TextKind, 5> kTextKinds = {{{"C++", 0.81, 0.97, 1.24, 1},
                                                        {"Python", 0.47, 0.81, 1.22, 1},
                                                        {"English", 0.90, 1.00, 1.10, 1},
                                                        {"JSON", 0.58, 0.95, 1.30, 1},
                                                        {"Chinese", 0.74, 0.82, 0.90, 3}}};

// Characters of a piece of text of so many tokens.
double DrawCharacters(World& world, const TextKind& kind, double tokens);

}  // namespace holdfast::bench
