#include "common/config/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace holdfast {
namespace {

constexpr size_t kMaxSecretBytes = 64 * 1024;

// What cannot travel in a header cannot be a credential.
absl::StatusOr<std::string> Check(std::string value, const std::string& where) {
  const size_t begin = value.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return absl::NotFoundError(fmt::format("{} is empty", where));
  value = value.substr(begin, value.find_last_not_of(" \t\r\n") - begin + 1);
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!printable)
    return absl::InvalidArgumentError(fmt::format("{} has white space or other unprintable characters inside", where));
  return value;
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFromEnv(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return absl::NotFoundError(fmt::format("the environment variable {} is not set", name));
  return Check(value, fmt::format("the environment variable {}", name));
}

absl::StatusOr<std::string> ReadSecretFromFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string value(kMaxSecretBytes + 1, '\0');
  file.read(value.data(), static_cast<std::streamsize>(value.size()));
  if (file.bad() || !file.is_open()) return absl::NotFoundError(fmt::format("the file {} cannot be read", path));
  value.resize(static_cast<size_t>(file.gcount()));
  if (value.size() > kMaxSecretBytes)
    return absl::InvalidArgumentError(fmt::format("the file {} is too large for a secret", path));
  return Check(std::move(value), fmt::format("the file {}", path));
}

}  // namespace holdfast
