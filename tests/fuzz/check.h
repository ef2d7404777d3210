#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace holdfast::fuzz {

// A property that every input must have. Aborts, so that the fuzzer keeps the input.
inline void Check(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", what.c_str());
  std::abort();
}

}  // namespace holdfast::fuzz
