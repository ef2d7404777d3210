#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::fuzz {

// The bytes of one fuzzing input, taken from the front. Past the end numbers are 0 and texts empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t Byte() {
    const std::string_view byte = Text(1);
    return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
  }
  // Big-endian.
  uint64_t Number(size_t bytes) {
    uint64_t number = 0;
    while (bytes-- > 0) number = number << 8 | Byte();
    return number;
  }
  std::string_view Text(size_t most) {
    const std::string_view text = rest_.substr(0, most);
    rest_.remove_prefix(text.size());
    return text;
  }
  // Up to `mark`, which is dropped, or to the end.
  std::string_view TextUntil(std::string_view mark) {
    const size_t end = rest_.find(mark);
    const std::string_view text = Text(end == std::string_view::npos ? rest_.size() : end);
    Text(std::min(mark.size(), rest_.size()));
    return text;
  }
  std::string_view Rest() { return Text(rest_.size()); }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace holdfast::fuzz
