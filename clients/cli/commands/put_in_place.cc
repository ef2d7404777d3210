#include "clients/cli/commands/put_in_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {
namespace {

std::string Reason(int error) { return std::error_code(error, std::generic_category()).message(); }

absl::Status CannotWrite(const std::string& file, int error) {
  if (error == EEXIST) {
    return absl::AlreadyExistsError(
        fmt::format("cannot write {}: it exists by now; name another file, or replace it with --force", file));
  }
  return absl::UnavailableError(fmt::format("cannot write {}: {}", file, Reason(error)));
}

absl::Status SyncFolderOf(const std::string& file) {
  const std::filesystem::path parent = std::filesystem::path(file).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems know no such thing, and say so by EINVAL.
  if (fd && (::fsync(fd.get()) == 0 || errno == EINVAL)) return absl::OkStatus();
  return absl::UnavailableError(fmt::format(
      "{} is written, but a crash of the machine may lose it: {} cannot be synced: {}", file, folder, Reason(errno)));
}

}  // namespace

absl::Status LinkInPlace(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) {
    const int error = errno;
    if (error == EEXIST) return CannotWrite(to, error);
    return absl::UnavailableError(fmt::format(
        "cannot write {}: {}; where the file system has no hard links, --force does without", to, Reason(error)));
  }
  ::unlink(from.c_str());  // a name too many harms nobody
  return SyncFolderOf(to);
}

absl::Status PutInPlace(const std::string& from, const std::string& to, bool force) {
  if (force) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return CannotWrite(to, errno);
    return SyncFolderOf(to);
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return SyncFolderOf(to);
  if (errno == EINVAL || errno == ENOSYS) return LinkInPlace(from, to);
  return CannotWrite(to, errno);
}

}  // namespace holdfast::cli
