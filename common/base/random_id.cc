#include "common/base/random_id.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>

namespace holdfast {

std::string RandomId() {
  constexpr char kAlphabet[] = "0123456789abcdefghijklmnopqrstuv";
  constexpr size_t kCharacters = 26;
  // Five of the eight bits of each byte are used.
  std::array<uint8_t, kCharacters> bytes{};
  // At most 256 bytes are delivered at once, or not at all.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string id;
  for (const uint8_t byte : bytes) id.push_back(kAlphabet[byte & 31]);
  return id;
}

}  // namespace holdfast
