#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::cli {

// Head and tail of output of any length, in bounded memory: less than 2 × 64 KiB.
class OutputBuffer {
 public:
  void Append(std::string_view bytes);

  // What was kept, as valid UTF-8, with a line in the middle that says how many bytes were left out. Below 64 KiB where
  // the output was valid UTF-8.
  std::string Text() const;

 private:
  std::string head_;
  std::string tail_;       // its last kKeep bytes count
  int64_t forgotten_ = 0;  // bytes between head_ and tail_
};

}  // namespace holdfast::cli
