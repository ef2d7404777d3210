#include "common/config/small_file.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

namespace holdfast {

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes, const std::string& name) {
  std::ifstream file(path, std::ios::binary);
  std::string content;
  std::array<char, 16 * 1024> buffer;
  while (file.is_open() && content.size() <= max_bytes && file) {
    file.read(buffer.data(), buffer.size());
    content.append(buffer.data(), static_cast<size_t>(file.gcount()));
  }
  // A folder can be opened, but not read.
  if (!file.is_open() || file.bad()) return absl::NotFoundError(fmt::format("{} cannot be read", name));
  if (content.size() > max_bytes) {
    return absl::InvalidArgumentError(fmt::format("{} has more than {} bytes", name, max_bytes));
  }
  return content;
}

}  // namespace holdfast
