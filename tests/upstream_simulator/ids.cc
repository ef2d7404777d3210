#include "tests/upstream_simulator/ids.h"

#include <openssl/sha.h>

#include <array>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace holdfast::simulator {

std::string Sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string Ids::Make(std::string_view prefix, std::size_t index, std::size_t digits) const {
  return fmt::format("{}{}", prefix, Sha256(fmt::format("{}/{}/{}", seed_, prefix, index)).substr(0, digits));
}

}  // namespace holdfast::simulator
