#include "clients/cli/terminal/columns.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace holdfast::cli {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

// Blocks whose characters are wide or fullwidth (Unicode Standard Annex 11, East_Asian_Width W and F); where a block is
// mixed, what terminals draw wide.
constexpr std::array kWide = std::to_array<Range>(
    {{0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x2614, 0x2615},
     {0x26A1, 0x26A1},   {0x2705, 0x2705},   {0x274C, 0x274C},   {0x2E80, 0x303E},   {0x3041, 0x4DBF},
     {0x4E00, 0xA4CF},   {0xA960, 0xA97C},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE10, 0xFE19},
     {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x16FE0, 0x18CFF}, {0x1B000, 0x1B2FB},
     {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}});

template <size_t N>
bool In(const std::array<Range, N>& ranges, uint32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](uint32_t wanted, const Range& range) { return wanted < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

uint32_t CodeOf(std::string_view utf8) {
  const auto lead = static_cast<unsigned char>(utf8[0]);
  if (utf8.size() == 1) return lead;
  uint32_t code = lead & (0xFFU >> (utf8.size() + 1));
  for (const char c : utf8.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

}  // namespace

size_t ColumnsOf(std::string_view utf8) {
  if (utf8.empty()) return 0;
  return In(kWide, CodeOf(utf8)) ? 2 : 1;
}

}  // namespace holdfast::cli
