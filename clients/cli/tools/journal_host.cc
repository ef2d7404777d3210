#include "clients/cli/tools/journal_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/unique_fd.h"
#include "common/base/random_id.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMostBytes = 64;

absl::StatusOr<std::string> Read(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be opened", path));
  absl::StatusOr<std::string> text = ReadRange(fd.get(), 0, kMostBytes, path);
  if (!text.ok()) return text;
  if (!text->empty() && text->back() == '\n') text->pop_back();
  const bool plain = std::all_of(text->begin(), text->end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  if (text->empty() || !plain) {
    return absl::DataLossError(
        fmt::format("{}: is no id; remove it when no holdfast runs, and a new one is made", path));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> JournalHost(const std::string& folder) {
  const std::string path = folder + "/host";
  absl::StatusOr<std::string> known = Read(path);
  if (known.ok() || !absl::IsNotFound(known.status())) return known;
  // Whole under another name first; the first of several clients wins.
  const std::string staged = fmt::format("{}.{}", path, RandomId());
  UniqueFd fd(::open(staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be made", staged));
  absl::Status status = WriteAll(fd.get(), RandomId() + "\n", staged);
  if (status.ok() && ::fsync(fd.get()) != 0) status = absl::ErrnoToStatus(errno, staged);
  if (status.ok() && ::link(staged.c_str(), path.c_str()) != 0 && errno != EEXIST)
    status = absl::ErrnoToStatus(errno, fmt::format("{}: cannot be made", path));
  ::unlink(staged.c_str());
  if (!status.ok()) return status;
  return Read(path);
}

}  // namespace holdfast::cli
