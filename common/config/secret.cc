#include "common/config/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "common/config/shown.h"
#include "common/config/small_file.h"

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

// Whoever writes the secret itself where its name belongs must not see it in an error.
bool IsVariableName(const std::string& name) {
  const auto in_name = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && name.size() <= 128 && !std::isdigit(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), in_name);
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFromEnv(const std::string& name) {
  if (!IsVariableName(name)) {
    return absl::InvalidArgumentError(
        "what is given is not the name of an environment variable, such as OPENAI_API_KEY; a secret itself is never "
        "written here");
  }
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return absl::NotFoundError(fmt::format("the environment variable {} is not set", name));
  return Check(value, fmt::format("the environment variable {}", name));
}

absl::StatusOr<std::string> ReadSecretFromFile(const std::string& path) {
  auto value = ReadSmallFile(path, kMaxSecretBytes, ShownFile(path));
  if (!value.ok()) return value.status();
  return Check(*std::move(value), ShownFile(path));
}

}  // namespace holdfast
