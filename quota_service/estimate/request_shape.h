#pragma once

#include <array>
#include <cstdint>

#include "quota_service/estimate/text_profile.h"

namespace holdfast::quota {

// What is known of a request's input before any tokenizer has seen it.
struct RequestShape {
  // Tokens of its text by the seeds, before anything was learnt. At least 1.
  double text = 1;
  // Which part of `text` each TextClass makes up. Requests with like shares are like text.
  std::array<float, kTextClasses> shares{};
  // Tokens of its images as their provider's rule has them: expected, at most, and what of the expected ones is a
  // guess.
  int64_t images = 0;
  int64_t images_most = 0;
  int64_t images_guessed = 0;
};

// Of a text and so many items: each message and tool call costs about 4 tokens of its own.
RequestShape ShapeOf(const TextProfile& text, int64_t items);

}  // namespace holdfast::quota
