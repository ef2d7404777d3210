#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace holdfast::quota {

// A string of the text that is scanned.
struct JsonString {
  std::string_view raw;  // between the quotes, escapes as they are written
  size_t begin = 0;      // where its opening quote is
  bool escaped = false;
  int64_t characters = 0;  // code points that it stands for; half a surrogate pair counts as one

  // The offset after its closing quote.
  size_t end() const { return begin + raw.size() + 2; }
  // Without escapes. Half a surrogate pair becomes U+FFFD.
  std::string Decoded() const { return DecodedHead(raw.size()); }
  // The same of its beginning: at least `least` bytes or all there are, and at most three more. May end within a
  // character.
  std::string DecodedHead(size_t least) const;
  // Costs no more than `text` is long, however long this string is.
  bool Is(std::string_view text) const {
    constexpr size_t kMostRawOfByte = 6;  // as in \u0065
    if (!escaped) return raw == text;
    return raw.size() <= kMostRawOfByte * text.size() && Decoded() == text;
  }
};

// What ScanJson finds, in the order of the text. Views are into the text.
class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  // What is not OK ends the scan.
  virtual absl::Status OnKey(const JsonString& key) = 0;
  virtual absl::Status OnString(const JsonString& value) = 0;
  // A number, true, false or null.
  virtual absl::Status OnScalar(std::string_view text, size_t begin) = 0;
  // '{' or '['.
  virtual absl::Status OnBegin(char bracket) = 0;
  virtual absl::Status OnEnd() = 0;
};

inline constexpr size_t kMostJsonDepth = 512;

// Reads one JSON text (RFC 8259) in one pass, without recursion and without building anything. INVALID_ARGUMENT names
// the byte at which it stops being JSON, is not UTF-8, or is nested deeper than `kMostJsonDepth`. Escapes that are half
// a surrogate pair are JSON, and pass.
absl::Status ScanJson(std::string_view text, JsonVisitor& visitor);

}  // namespace holdfast::quota
