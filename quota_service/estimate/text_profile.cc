#include "quota_service/estimate/text_profile.h"

#include <algorithm>
#include <cstring>

namespace holdfast::quota {
namespace {

// Sixteen bytes at a time, as the compiler's own vectors: they need no instruction set beyond the baseline. A
// comparison gives 0xFF where it holds, which is -1: what is counted is subtracted.
using Bytes = uint8_t __attribute__((vector_size(16)));
constexpr size_t kWidth = sizeof(Bytes);
// A counter of one byte holds 255; then it is added up.
constexpr size_t kChunk = 255 * kWidth;
// How many bytes are looked back at. NUL belongs to no class: it stands for what is before a text and after it.
constexpr size_t kBefore = 2;

// What one byte is, as bits.
constexpr uint8_t kLetter = 1;
constexpr uint8_t kLower = 2;
constexpr uint8_t kDigit = 4;
constexpr uint8_t kMark = 8;
constexpr uint8_t kSpace = 16;

Bytes Load(const uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, kWidth);
  return bytes;
}

Bytes IsBetween(Bytes c, uint8_t low, uint8_t high) {
  return reinterpret_cast<Bytes>(c - low <= static_cast<uint8_t>(high - low));
}

Bytes Has(Bytes kinds, uint8_t kind) { return reinterpret_cast<Bytes>((kinds & kind) == kind); }

Bytes KindsOf(Bytes c) {
  const Bytes letter = IsBetween(c | 0x20, 'a', 'z');
  const Bytes digit = IsBetween(c, '0', '9');
  const Bytes mark = IsBetween(c, 0x21, 0x7E) & ~(letter | digit);
  const Bytes space = IsBetween(c, ' ', ' ') | IsBetween(c, '\t', '\t');
  return (letter & kLetter) | (IsBetween(c, 'a', 'z') & kLower) | (digit & kDigit) | (mark & kMark) | (space & kSpace);
}

bool HasHighBit(Bytes c) {
  std::array<uint64_t, 2> halves;
  std::memcpy(halves.data(), &c, kWidth);
  return ((halves[0] | halves[1]) & 0x8080808080808080U) != 0;
}

struct Counters {
  std::array<Bytes, kTextClasses> classes{};
  Bytes continuations{};

  void Count(TextClass cls, Bytes where) { classes[static_cast<size_t>(cls)] -= where; }
};

// By the first byte of each sequence.
void CountMultibyte(Bytes c, Counters* counters) {
  counters->Count(TextClass::kLatin, IsBetween(c, 0xC2, 0xC8));
  counters->Count(TextClass::kTwoBytes, IsBetween(c, 0xC9, 0xDF));
  counters->Count(TextClass::kCjk, IsBetween(c, 0xE3, 0xED) | IsBetween(c, 0xEF, 0xEF));
  counters->Count(TextClass::kThreeBytes, IsBetween(c, 0xE0, 0xE2) | IsBetween(c, 0xEE, 0xEE));
  counters->Count(TextClass::kFourBytes, IsBetween(c, 0xF0, 0xF4));
  counters->continuations -= IsBetween(c, 0x80, 0xBF);
}

int64_t Sum(Bytes counter) {
  int64_t sum = 0;
  for (size_t i = 0; i < kWidth; ++i) sum += counter[i];
  return sum;
}

// `text` and `kinds` are `size` bytes long, a multiple of kWidth and at most kChunk. Before `kinds` there are those of
// the kBefore bytes before the text; its own are written.
void ProfileChunk(const uint8_t* text, uint8_t* kinds, size_t size, TextProfile* profile) {
  Counters counters;
  for (size_t i = 0; i < size; i += kWidth) {
    const Bytes c = Load(text + i);
    const Bytes now = KindsOf(c);
    std::memcpy(kinds + i, &now, kWidth);
    counters.Count(TextClass::kLines, IsBetween(c, '\n', '\n'));
    if (HasHighBit(c)) CountMultibyte(c, &counters);
  }
  for (size_t i = 0; i < size; i += kWidth) {
    const Bytes now = Load(kinds + i);
    const Bytes before = Load(kinds + i - 1);
    const Bytes begins = now & ~before;
    counters.Count(TextClass::kLetters, Has(now, kLetter));
    counters.Count(TextClass::kWords, Has(begins, kLetter));
    counters.Count(TextClass::kHumps, Has(now & ~(now >> 1) & (before >> 1), kLetter));
    counters.Count(TextClass::kDigits, Has(now, kDigit));
    counters.Count(TextClass::kNumbers, Has(begins, kDigit));
    counters.Count(TextClass::kSpaces, Has(now, kSpace));
    counters.Count(TextClass::kGaps, Has(now & before & ~Load(kinds + i - 2), kSpace));
    counters.Count(TextClass::kMarks, Has(now, kMark));
    counters.Count(TextClass::kMarkRuns, Has(begins, kMark));
  }
  for (size_t i = 0; i < kTextClasses; ++i) profile->counts[i] += Sum(counters.classes[i]);
  profile->characters -= Sum(counters.continuations);
}

}  // namespace

void TextProfile::Add(const TextProfile& other) {
  bytes += other.bytes;
  characters += other.characters;
  for (size_t i = 0; i < kTextClasses; ++i) counts[i] += other.counts[i];
}

TextProfile ProfileText(std::string_view utf8) {
  TextProfile profile;
  profile.bytes = static_cast<int64_t>(utf8.size());
  profile.characters = profile.bytes;
  std::array<uint8_t, kBefore + kChunk> buffer;
  uint8_t* const kinds = buffer.data() + kBefore;
  std::fill_n(buffer.data(), kBefore, 0);
  while (utf8.size() >= kWidth) {
    const size_t size = std::min(utf8.size() / kWidth * kWidth, kChunk);
    ProfileChunk(reinterpret_cast<const uint8_t*>(utf8.data()), kinds, size, &profile);
    std::copy_n(kinds + size - kBefore, kBefore, buffer.data());
    utf8.remove_prefix(size);
  }
  if (utf8.empty()) return profile;
  std::array<uint8_t, kWidth> rest{};
  std::memcpy(rest.data(), utf8.data(), utf8.size());
  ProfileChunk(rest.data(), kinds, kWidth, &profile);
  return profile;
}

}  // namespace holdfast::quota
