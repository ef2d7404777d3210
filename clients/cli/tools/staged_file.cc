#include "clients/cli/tools/staged_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/printable.h"
#include "common/base/random_id.h"

namespace holdfast::cli {
namespace {

// `folder` is an O_PATH descriptor, which fsync does not take.
absl::Status SyncFolder(int folder, std::string_view path) {
  const UniqueFd fd(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) == 0) return absl::OkStatus();
  if (errno == EINVAL) return absl::OkStatus();  // the file system has no such thing
  return absl::ErrnoToStatus(errno, fmt::format("{}: was changed, but its folder cannot be synced", Printable(path)));
}

constexpr std::string_view kPrefix = ".holdfast-";
constexpr std::string_view kSuffix = ".tmp";

}  // namespace

std::string StagedName() { return fmt::format("{}{}{}", kPrefix, RandomId(), kSuffix); }

absl::StatusOr<StagedFile> StagedFile::Create(const Workspace& workspace, const ResolvedPath& target,
                                              const std::string& name, std::string_view content,
                                              const struct stat* like, bool replaces) {
  absl::StatusOr<UniqueFd> folder = workspace.OpenFolderOf(target, /*create=*/!replaces);
  if (!folder.ok()) return folder.status();
  StagedFile staged;
  staged.folder_ = *std::move(folder);
  staged.leaf_ = LeafOf(target);
  staged.path_ = target.relative;
  staged.replaces_ = replaces;

  UniqueFd fd(::openat(staged.folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       like != nullptr ? 0600 : 0666));
  const std::string shown = Printable(staged.path_);
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("{}: no file can be made in its folder", shown));
  staged.temporary_ = name;
  const absl::Status status = WriteAll(fd.get(), content, shown);
  if (!status.ok()) return status;
  if (like != nullptr) {
    struct stat own = {};
    if (::fstat(fd.get(), &own) == 0 && (own.st_uid != like->st_uid || own.st_gid != like->st_gid)) {
      // Only root may give files away; anybody else owns what they write, as editors have it.
      [[maybe_unused]] const int ignored = ::fchown(fd.get(), like->st_uid, like->st_gid);
    }
    if (::fchmod(fd.get(), like->st_mode & 0777) != 0) {
      return absl::ErrnoToStatus(errno, fmt::format("{}: its mode cannot be kept", shown));
    }
  }
  if (::fsync(fd.get()) != 0) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be synced", shown));
  return staged;
}

void StagedFile::Remove(const Workspace& workspace, const ResolvedPath& target, const std::string& name) {
  // The name comes from a file that others may have changed: nothing but such a name is removed.
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.find('/') != std::string::npos) return;
  const absl::StatusOr<UniqueFd> folder = workspace.OpenFolderOf(target, /*create=*/false);
  if (folder.ok()) ::unlinkat(folder->get(), name.c_str(), 0);
}

StagedFile::~StagedFile() {
  if (folder_ && !temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

absl::Status StagedFile::Commit() {
  const int folder = folder_.get();
  const auto failed = [&](int error) {
    return absl::ErrnoToStatus(error, fmt::format("{}: cannot be put in place", Printable(path_)));
  };
  if (!replaces_) {
    if (::renameat2(folder, temporary_.c_str(), folder, leaf_.c_str(), RENAME_NOREPLACE) == 0) {
      temporary_.clear();
      return SyncFolder(folder, path_);
    }
    if (errno != EINVAL && errno != ENOSYS) return failed(errno);
    // A file system without RENAME_NOREPLACE.
    if (::faccessat(folder, leaf_.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return failed(EEXIST);
  }
  if (::renameat(folder, temporary_.c_str(), folder, leaf_.c_str()) != 0) return failed(errno);
  temporary_.clear();
  return SyncFolder(folder, path_);
}

absl::Status RemoveFile(const Workspace& workspace, const ResolvedPath& target) {
  const absl::StatusOr<UniqueFd> folder = workspace.OpenFolderOf(target, /*create=*/false);
  if (!folder.ok()) return folder.status();
  if (::unlinkat(folder->get(), LeafOf(target).c_str(), 0) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be removed", Printable(target.relative)));
  }
  return SyncFolder(folder->get(), target.relative);
}

}  // namespace holdfast::cli
