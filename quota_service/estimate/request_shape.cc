#include "quota_service/estimate/request_shape.h"

#include <algorithm>

namespace holdfast::quota {
namespace {

// Tokens of each TextClass, in its order: fitted to the first half of tests/quota_service/estimate/tokens.tsv (o200k;
// least squares of the relative error, each script alike), and rounded. Letters and spaces count little because the
// words and gaps that they are in count already. What the table has too little of (accented Latin, symbols, emoji) is
// set by hand.
constexpr std::array<double, kTextClasses> kTokensOf{
    0.02,  // letters
    0.87,  // words
    1.05,  // humps
    0.21,  // digits
    1.45,  // numbers
    0.01,  // spaces
    1.25,  // gaps
    0.95,  // lines
    0.15,  // marks
    0.4,   // mark runs
    0.6,   // accented Latin
    0.29,  // Greek, Cyrillic, Hebrew, Arabic
    0.78,  // Han, kana, Hangul
    1.0,   // other characters of three bytes
    1.8,   // of four
};
constexpr double kTokensOfItem = 4;

}  // namespace

RequestShape ShapeOf(const TextProfile& text, int64_t items) {
  RequestShape shape;
  std::array<double, kTextClasses> tokens;
  double sum = kTokensOfItem * static_cast<double>(items);
  for (size_t i = 0; i < kTextClasses; ++i) {
    tokens[i] = kTokensOf[i] * static_cast<double>(text.counts[i]);
    sum += tokens[i];
  }
  shape.text = std::max(1.0, sum);
  for (size_t i = 0; i < kTextClasses; ++i) shape.shares[i] = static_cast<float>(tokens[i] / shape.text);
  return shape;
}

}  // namespace holdfast::quota
