#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::quota {

// What a tokenizer tells apart in a text, and can be counted without one. Byte-pair vocabularies first cut a text into
// words, numbers, runs of punctuation and white space; most of these pieces of ordinary text are one token or two. So
// the beginnings of pieces say more about tokens than characters do.
enum class TextClass {
  kLetters,     // ASCII
  kWords,       // runs of ASCII letters
  kHumps,       // an upper-case letter after a lower-case one, as in camelCase
  kDigits,      // ASCII
  kNumbers,     // runs of digits
  kSpaces,      // spaces and tabs
  kGaps,        // runs of two or more of them
  kLines,       // line breaks
  kMarks,       // ASCII punctuation
  kMarkRuns,    // runs of it
  kLatin,       // characters of two bytes up to U+023F: accented Latin
  kTwoBytes,    // other characters of two bytes: Greek, Cyrillic, Hebrew, Arabic
  kCjk,         // Han, kana, Hangul, their punctuation and wide forms
  kThreeBytes,  // other characters of three bytes: Indic, Thai, symbols
  kFourBytes,   // emoji, rare Han
};
inline constexpr size_t kTextClasses = 15;

struct TextProfile {
  int64_t bytes = 0;
  int64_t characters = 0;  // Unicode code points
  std::array<int64_t, kTextClasses> counts{};

  int64_t Count(TextClass cls) const { return counts[static_cast<size_t>(cls)]; }
  void Add(const TextProfile& other);
};

// One pass, about 0.1 ns a byte (bench/estimate). Of bytes that are not UTF-8 the counts are approximate.
TextProfile ProfileText(std::string_view utf8);

}  // namespace holdfast::quota
