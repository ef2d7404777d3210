#include "common/base/utf8.h"

#include <fmt/format.h>

namespace holdfast {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

struct Sequence {
  size_t length;  // bytes that belong together, at least 1
  bool valid;
};

// The sequence at the start of `s`, which is not empty; by table 3-7 of the Unicode standard.
Sequence Next(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  size_t need = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    need = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    need = 2;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    need = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (size_t i = 1; i <= need; ++i) {
    if (i >= s.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {need + 1, true};
}

}  // namespace

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Sequence sequence = Next(bytes);
    if (!sequence.valid) return false;
    bytes.remove_prefix(sequence.length);
  }
  return true;
}

std::string RepairUtf8(std::string_view bytes) {
  if (IsValidUtf8(bytes)) return std::string(bytes);
  std::string out;
  out.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    const Sequence sequence = Next(bytes);
    if (sequence.valid) {
      out.append(bytes.substr(0, sequence.length));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    bytes.remove_prefix(sequence.length);
  }
  return out;
}

int64_t CountCodePoints(std::string_view utf8) {
  int64_t count = 0;
  while (!utf8.empty()) {
    const Sequence sequence = Next(utf8);
    count += sequence.valid ? 1 : static_cast<int64_t>(sequence.length);
    utf8.remove_prefix(sequence.length);
  }
  return count;
}

std::string_view TruncateUtf8(std::string_view utf8, size_t max_bytes) {
  if (utf8.size() <= max_bytes) return utf8;
  // A code point has at most three continuations; where there are more, there is none to spare.
  size_t end = max_bytes;
  while (end > 0 && max_bytes - end < 3 && IsContinuation(utf8[end])) --end;
  return utf8.substr(0, IsContinuation(utf8[end]) ? max_bytes : end);
}

std::string KeepHeadAndTail(std::string_view utf8, size_t max_bytes) {
  if (utf8.size() <= max_bytes) return std::string(utf8);
  constexpr size_t kRoomForNote = 64;
  if (max_bytes <= 2 * kRoomForNote) return std::string(TruncateUtf8(utf8, max_bytes));
  const size_t half = (max_bytes - kRoomForNote) / 2;
  const std::string_view head = TruncateUtf8(utf8, half);
  size_t tail_begin = utf8.size() - half;
  while (tail_begin < utf8.size() && IsContinuation(utf8[tail_begin])) ++tail_begin;
  return fmt::format("{}\n[… {} bytes left out …]\n{}", head, tail_begin - head.size(), utf8.substr(tail_begin));
}

}  // namespace holdfast
