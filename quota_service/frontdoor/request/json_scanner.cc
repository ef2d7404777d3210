#include "quota_service/frontdoor/request/json_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace holdfast::quota {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101;
constexpr uint64_t kHighs = 0x8080808080808080;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hexadecimal digits at `at`, or -1.
int ReadHex4(std::string_view text, size_t at) {
  if (text.size() < at + 4) return -1;
  int value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

constexpr bool IsHighSurrogate(int unit) { return unit >= 0xD800 && unit < 0xDC00; }
constexpr bool IsLowSurrogate(int unit) { return unit >= 0xDC00 && unit < 0xE000; }

// The high bit of a byte is set where it, or one before it, ends a run of plain characters: a quote, a backslash, a
// control character or one that is not ASCII.
uint64_t Specials(const char* text) {
  uint64_t bytes;
  std::memcpy(&bytes, text, sizeof(bytes));
  const uint64_t control = bytes - kOnes * 0x20;
  const uint64_t quote = (bytes ^ (kOnes * '"')) - kOnes;
  const uint64_t backslash = (bytes ^ (kOnes * '\\')) - kOnes;
  return (bytes | control | quote | backslash) & kHighs;
}

// How many plain characters `text` surely begins with; of the last 31 some may be missing.
size_t PlainBytes(std::string_view text) {
  size_t plain = 0;
  for (; text.size() - plain >= 32; plain += 32) {
    const char* const at = text.data() + plain;
    if ((Specials(at) | Specials(at + 8) | Specials(at + 16) | Specials(at + 24)) != 0) break;
  }
  for (; text.size() - plain >= 8; plain += 8) {
    if (Specials(text.data() + plain) != 0) break;
  }
  return plain;
}

// The length of the well-formed UTF-8 sequence at `at`, which is not ASCII; 0: none (Unicode standard, table 3-7).
size_t SequenceLength(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const unsigned first = byte(0);
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void AppendUtf8(int code, std::string* out) {
  const auto put = [out](int byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

class Scanner {
 public:
  Scanner(std::string_view text, JsonVisitor& visitor) : text_(text), visitor_(visitor) {}

  absl::Status Scan();

 private:
  absl::Status Bad(std::string_view what) const {
    return absl::InvalidArgumentError(fmt::format("not valid JSON at byte {}: {}", at_, what));
  }
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  void SkipBlanks() {
    while (!AtEnd() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }

  absl::Status Value();
  absl::Status Key();
  // After a value: what closes, or the comma before the next.
  absl::Status AfterValue();
  absl::Status Begin(char bracket);
  absl::Status End();
  absl::Status ReadString(JsonString* string);
  absl::Status Escape(JsonString* string);
  absl::Status Number();
  absl::Status Word(std::string_view word);

  std::string_view text_;
  JsonVisitor& visitor_;
  size_t at_ = 0;
  std::vector<char> open_;  // the brackets around the place
  bool value_next_ = true;  // else a value has just ended
};

absl::Status Scanner::Scan() {
  do {
    SkipBlanks();
    const absl::Status status = value_next_ ? Value() : AfterValue();
    if (!status.ok()) return status;
  } while (value_next_ || !open_.empty());
  SkipBlanks();
  return AtEnd() ? absl::OkStatus() : Bad("something follows its end");
}

absl::Status Scanner::Value() {
  switch (Peek()) {
    case '{':
    case '[':
      return Begin(text_[at_]);
    case '"': {
      JsonString string;
      if (absl::Status status = ReadString(&string); !status.ok()) return status;
      value_next_ = false;
      return visitor_.OnString(string);
    }
    case 't':
      return Word("true");
    case 'f':
      return Word("false");
    case 'n':
      return Word("null");
    default:
      return Number();
  }
}

absl::Status Scanner::Begin(char bracket) {
  if (open_.size() == kMostJsonDepth) return Bad(fmt::format("it is nested deeper than {} levels", kMostJsonDepth));
  open_.push_back(bracket);
  ++at_;
  if (absl::Status status = visitor_.OnBegin(bracket); !status.ok()) return status;
  SkipBlanks();
  if (Peek() == (bracket == '{' ? '}' : ']')) return End();
  return bracket == '{' ? Key() : absl::OkStatus();
}

absl::Status Scanner::End() {
  ++at_;
  open_.pop_back();
  value_next_ = false;
  return visitor_.OnEnd();
}

absl::Status Scanner::AfterValue() {
  const bool object = open_.back() == '{';
  if (Peek() == (object ? '}' : ']')) return End();
  if (Peek() != ',') return Bad(object ? "a comma or } is missing" : "a comma or ] is missing");
  ++at_;
  value_next_ = true;
  if (!object) return absl::OkStatus();
  SkipBlanks();
  return Key();
}

absl::Status Scanner::Key() {
  if (Peek() != '"') return Bad("a key in quotes is missing");
  JsonString key;
  if (absl::Status status = ReadString(&key); !status.ok()) return status;
  SkipBlanks();
  if (Peek() != ':') return Bad("a colon is missing");
  ++at_;
  return visitor_.OnKey(key);
}

absl::Status Scanner::ReadString(JsonString* string) {
  string->begin = at_++;
  while (true) {
    const size_t plain = PlainBytes(text_.substr(at_));
    at_ += plain;
    string->characters += static_cast<int64_t>(plain);
    if (AtEnd()) return Bad("a string does not end");
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') break;
    if (c == '\\') {
      if (absl::Status status = Escape(string); !status.ok()) return status;
      continue;
    }
    if (c < 0x20) return Bad("a control character in a string must be escaped");
    size_t length = 1;
    if (c >= 0x80) {
      length = SequenceLength(text_, at_);
      if (length == 0) return Bad("it is not UTF-8");
    }
    at_ += length;
    ++string->characters;
  }
  string->raw = text_.substr(string->begin + 1, at_ - string->begin - 1);
  ++at_;
  return absl::OkStatus();
}

absl::Status Scanner::Escape(JsonString* string) {
  string->escaped = true;
  ++string->characters;
  const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (c == 'u') {
    const int unit = ReadHex4(text_, at_ + 2);
    if (unit < 0) return Bad("\\u needs four hexadecimal digits");
    at_ += 6;
    if (!IsHighSurrogate(unit) || text_.substr(at_, 2) != "\\u") return absl::OkStatus();
    if (IsLowSurrogate(ReadHex4(text_, at_ + 2))) at_ += 6;
    return absl::OkStatus();
  }
  if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return Bad("an unknown escape");
  at_ += 2;
  return absl::OkStatus();
}

absl::Status Scanner::Number() {
  const size_t begin = at_;
  const auto digits = [this] {
    const size_t first = at_;
    while (IsDigit(Peek())) ++at_;
    return at_ > first;
  };
  if (Peek() == '-') ++at_;
  if (Peek() == '0') {
    ++at_;
  } else if (!digits()) {
    return Bad(AtEnd() ? "it ends too early" : "a value is missing");
  }
  if (Peek() == '.') {
    ++at_;
    if (!digits()) return Bad("a digit is missing");
  }
  if (Peek() == 'e' || Peek() == 'E') {
    ++at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    if (!digits()) return Bad("a digit is missing");
  }
  value_next_ = false;
  return visitor_.OnScalar(text_.substr(begin, at_ - begin), begin);
}

absl::Status Scanner::Word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return Bad("a value is missing");
  const size_t begin = at_;
  at_ += word.size();
  value_next_ = false;
  return visitor_.OnScalar(word, begin);
}

}  // namespace

std::string JsonString::DecodedHead(size_t least) const {
  if (!escaped) return std::string(raw.substr(0, least));
  std::string text;
  text.reserve(std::min(raw.size(), least + 3));
  for (size_t i = 0; i < raw.size() && text.size() < least;) {
    if (raw[i] != '\\') {
      text.push_back(raw[i++]);
      continue;
    }
    const char c = raw[i + 1];
    if (c != 'u') {
      static constexpr std::string_view kFrom = "\"\\/bfnrt";
      static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      text.push_back(kTo[kFrom.find(c)]);
      i += 2;
      continue;
    }
    int code = ReadHex4(raw, i + 2);
    i += 6;
    if (IsHighSurrogate(code) && raw.substr(i, 2) == "\\u" && IsLowSurrogate(ReadHex4(raw, i + 2))) {
      code = 0x10000 + ((code - 0xD800) << 10) + (ReadHex4(raw, i + 2) - 0xDC00);
      i += 6;
    } else if (IsHighSurrogate(code) || IsLowSurrogate(code)) {
      code = 0xFFFD;
    }
    AppendUtf8(code, &text);
  }
  return text;
}

absl::Status ScanJson(std::string_view text, JsonVisitor& visitor) { return Scanner(text, visitor).Scan(); }

}  // namespace holdfast::quota
