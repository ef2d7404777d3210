#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::simulator {

// Lower-case hexadecimal, 64 characters.
std::string Sha256(std::string_view bytes);

// The ids of one answer. They derive from the request's body alone: an identical resend gets identical ids, another
// request others.
class Ids {
 public:
  explicit Ids(std::string body_sha256) : seed_(std::move(body_sha256)) {}

  // `prefix` and 48 hexadecimal digits: "resp_…", "msg_…".
  std::string Item(std::string_view prefix, std::size_t index = 0) const { return Make(prefix, index, 48); }
  // As OpenAI's tool calls look: "call_" and 24 digits.
  std::string Call(std::size_t index) const { return Make("call_", index, 24); }
  // An opaque text in the place of encrypted reasoning.
  std::string Opaque() const { return Make("gAAAAAB", 0, 64); }

 private:
  std::string Make(std::string_view prefix, std::size_t index, std::size_t digits) const;

  std::string seed_;
};

}  // namespace holdfast::simulator
