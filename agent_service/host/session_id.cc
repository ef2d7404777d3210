#include "agent_service/host/session_id.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include "common/base/random_id.h"

namespace holdfast::agent {
namespace {

constexpr size_t kIdBytes = 16;

}  // namespace

std::string NewSessionId(const std::string& tenant, const std::string& purpose, const std::string& client_key) {
  if (client_key.empty()) return RandomId();
  std::string input = tenant + '\0' + client_key;
  // A key has at most 128 bytes, so that no other pair of purpose and key reads the same.
  if (!purpose.empty()) input += std::string(129, '\0') + purpose;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest);
  std::string id;
  for (size_t i = 0; i < kIdBytes; ++i) id += fmt::format("{:02x}", digest[i]);
  return id;
}

}  // namespace holdfast::agent
