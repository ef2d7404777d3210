#include "clients/cli/terminal/sanitize.h"

#include "clients/cli/terminal/columns.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

size_t LengthOf(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

// U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
bool IsBidiControl(std::string_view c) {
  if (c == "\xD8\x9C" || c == "\xE2\x80\x8E" || c == "\xE2\x80\x8F") return true;
  if (c.size() != 3) return false;
  const auto last = static_cast<unsigned char>(c[2]);
  return (c.starts_with("\xE2\x80") && last >= 0xAA && last <= 0xAE) ||
         (c.starts_with("\xE2\x81") && last >= 0xA6 && last <= 0xA9);
}

// The 7-bit letter behind ESC that means the same as the C1 control `c`; 0 where `c` is none.
char AsEscaped(std::string_view c) {
  if (c.size() != 2 || c[0] != '\xC2' || static_cast<unsigned char>(c[1]) >= 0xA0) return 0;
  return static_cast<char>(static_cast<unsigned char>(c[1]) - 0x40);
}

bool OpensString(char letter) {
  return letter == ']' || letter == 'P' || letter == 'X' || letter == '^' || letter == '_';
}

}  // namespace

std::string ControlFilter::Feed(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const std::string_view c = utf8.substr(0, LengthOf(static_cast<unsigned char>(utf8[0])));
    utf8.remove_prefix(c.size());
    const char first = c[0];
    const auto code = static_cast<unsigned char>(first);
    const char c1 = AsEscaped(c);

    if (state_ == State::kString || state_ == State::kStringEscape) {
      const bool terminated = first == '\a' || c1 == '\\' || (state_ == State::kStringEscape && first == '\\');
      if (terminated) {
        state_ = State::kText;
      } else if (first == '\n') {
        state_ = State::kText;
        out.push_back('\n');
      } else {
        state_ = first == '\x1b' ? State::kStringEscape : State::kString;
      }
      continue;
    }
    if (state_ == State::kControlSequence && code >= 0x20 && code <= 0x7E) {
      if (code >= 0x40) state_ = State::kText;
      continue;
    }
    if (state_ == State::kEscape && code >= 0x20 && code <= 0x7E) {
      if (first == '[') {
        state_ = State::kControlSequence;
      } else if (OpensString(first)) {
        state_ = State::kString;
      } else if (code >= 0x30) {  // below are intermediate bytes, more follows
        state_ = State::kText;
      }
      continue;
    }

    state_ = State::kText;
    if (first == '\x1b') {
      state_ = State::kEscape;
    } else if (c1 == '[') {
      state_ = State::kControlSequence;
    } else if (c1 != 0) {
      if (OpensString(c1)) state_ = State::kString;
    } else if (first == '\n' || first == '\t' || (code >= 0x20 && code != 0x7F && !IsBidiControl(c))) {
      out.append(c);
    }
  }
  return out;
}

std::string Sanitize(std::string_view utf8) { return ControlFilter().Feed(utf8); }

std::string SanitizeLine(std::string_view utf8, size_t max_columns) {
  std::string line = Sanitize(utf8);
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  size_t end = 0;
  size_t columns = 0;
  size_t keep = 0;  // bytes that leave a column for the ellipsis
  while (end < line.size()) {
    const size_t length = LengthOf(static_cast<unsigned char>(line[end]));
    columns += ColumnsOf(std::string_view(line).substr(end, length));
    if (columns > max_columns) return max_columns == 0 ? std::string() : line.substr(0, keep) + "…";
    end += length;
    if (columns < max_columns) keep = end;
  }
  return line;
}

}  // namespace holdfast::cli
