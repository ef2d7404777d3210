#include "clients/cli/tools/workspace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/openat2.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "clients/cli/tools/printable.h"

namespace holdfast::cli {
namespace {

constexpr int kMaxLinks = 40;  // as Linux has it, path_resolution(7)

std::vector<std::string> Components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return parts;
}

std::string Join(const std::vector<std::string>& parts) {
  if (parts.empty()) return ".";
  return fmt::format("{}", fmt::join(parts, "/"));
}

absl::Status Leaves(std::string_view path, std::string_view how) {
  return absl::PermissionDeniedError(
      fmt::format("{}: leaves the workspace ({}); use a path relative to its root", Printable(path), how));
}

bool IsInsideGit(const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (::strcasecmp(part.c_str(), ".git") == 0) return true;
  }
  return false;
}

absl::StatusOr<std::string> ReadLink(int root, const std::string& relative) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(root, relative.c_str(), target.data(), target.size());
  if (length < 0) return absl::ErrnoToStatus(errno, fmt::format("{}: the link cannot be read", Printable(relative)));
  target.resize(static_cast<size_t>(length));
  return target;
}

absl::Status OpenError(int error, const std::string& relative) {
  const std::string name = Printable(relative);
  if (error == ELOOP || error == EXDEV) {
    return absl::PermissionDeniedError(fmt::format("{}: a symbolic link took its place meanwhile; try again", name));
  }
  return absl::ErrnoToStatus(error, fmt::format("{}: cannot be opened", name));
}

}  // namespace

Workspace::Workspace(std::string root, std::string alias, UniqueFd fd, Opening opening)
    : root_(std::move(root)), alias_(std::move(alias)), fd_(std::move(fd)), opening_(opening) {}

absl::StatusOr<Workspace> Workspace::Open(const std::string& root, Opening opening) {
  const std::unique_ptr<char, decltype(&std::free)> canonical(::realpath(root.c_str(), nullptr), &std::free);
  if (!canonical) return absl::ErrnoToStatus(errno, fmt::format("workspace {}", root));
  UniqueFd fd(::open(canonical.get(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("workspace {}", root));
  std::error_code ignored;
  std::string alias = std::filesystem::absolute(root, ignored).lexically_normal().string();
  while (alias.size() > 1 && alias.back() == '/') alias.pop_back();
  return Workspace(canonical.get(), std::move(alias), std::move(fd), opening);
}

bool Workspace::StripRoot(std::string_view& path) const {
  for (const std::string_view prefix : {std::string_view(root_), std::string_view(alias_)}) {
    if (prefix.empty() || path.substr(0, prefix.size()) != prefix) continue;
    if (path.size() > prefix.size() && path[prefix.size()] != '/' && prefix != "/") continue;
    path.remove_prefix(prefix.size());
    return true;
  }
  return false;
}

absl::StatusOr<ResolvedPath> Workspace::Resolve(std::string_view path, Access access) const {
  if (path.empty()) return absl::InvalidArgumentError("the path is empty; \".\" names the workspace itself");
  if (path.size() >= PATH_MAX || path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        fmt::format("the path is longer than {} bytes or holds a NUL byte", PATH_MAX - 1));
  }
  std::string_view rest = path;
  if (rest.front() == '/' && !StripRoot(rest)) return Leaves(path, "an absolute path outside of it");

  ResolvedPath result{.relative = {}, .exists = true};
  std::vector<std::string> done;
  const std::vector<std::string> first = Components(rest);
  std::deque<std::string> todo(first.begin(), first.end());
  size_t own = todo.size();  // of them, those at the back that do not come out of a link
  for (int links = 0; !todo.empty();) {
    const bool from_link = todo.size() > own;
    if (!from_link) --own;
    const std::string part = std::move(todo.front());
    todo.pop_front();
    if (part == "..") {
      if (done.empty()) return Leaves(path, "\"..\" above the root");
      if (!result.exists) {
        return absl::NotFoundError(fmt::format("{}: {} does not exist", Printable(path), Printable(Join(done))));
      }
      done.pop_back();
      continue;
    }
    done.push_back(part);
    if (!result.exists) continue;
    const std::string here = Join(done);
    struct stat info = {};
    if (::fstatat(fd_.get(), here.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return absl::ErrnoToStatus(errno, Printable(path));
      if (from_link && access == Access::kWrite) {
        return absl::InvalidArgumentError(
            fmt::format("{}: a symbolic link to nothing is not written through", Printable(path)));
      }
      result.exists = false;
      continue;
    }
    if (!S_ISLNK(info.st_mode)) continue;
    if (access == Access::kRemove && todo.empty() && !from_link) {
      result.is_link = true;
      break;
    }
    if (++links > kMaxLinks) {
      return absl::InvalidArgumentError(fmt::format("{}: symbolic links that lead in a circle", Printable(path)));
    }
    absl::StatusOr<std::string> target = ReadLink(fd_.get(), here);
    if (!target.ok()) return target.status();
    std::string_view next = *target;
    done.pop_back();
    if (!next.empty() && next.front() == '/') {
      if (!StripRoot(next))
        return Leaves(path, fmt::format("{} is a symbolic link to a place outside of it", Printable(here)));
      done.clear();
    }
    const std::vector<std::string> parts = Components(next);
    todo.insert(todo.begin(), parts.begin(), parts.end());
  }
  if (access != Access::kRead && IsInsideGit(done)) {
    return absl::PermissionDeniedError(fmt::format("{}: what is inside .git is changed by git alone", Printable(path)));
  }
  result.relative = Join(done);
  return result;
}

absl::StatusOr<UniqueFd> Workspace::OpenPath(const ResolvedPath& path, int flags) const {
  flags |= O_CLOEXEC | O_NOFOLLOW;
  if (opening_ == Opening::kKernel) {
    open_how how = {};
    how.flags = static_cast<uint64_t>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    int error = 0;
    for (int attempt = 0; attempt < 8; ++attempt) {  // EAGAIN: something was renamed meanwhile
      const long fd = ::syscall(SYS_openat2, fd_.get(), path.relative.c_str(), &how, sizeof(how));
      if (fd >= 0) return UniqueFd(static_cast<int>(fd));
      error = errno;
      if (error != EAGAIN && error != EINTR) break;
    }
    // EPERM: container profiles that are older than the call.
    if (error != ENOSYS && error != EPERM) return OpenError(error, path.relative);
  }
  absl::StatusOr<UniqueFd> folder = OpenFolderOf(path, /*create=*/false);
  if (!folder.ok()) return folder.status();
  UniqueFd fd(::openat(folder->get(), LeafOf(path).c_str(), flags));
  if (!fd) return OpenError(errno, path.relative);
  return fd;
}

absl::StatusOr<UniqueFd> Workspace::OpenFolderOf(const ResolvedPath& path, bool create) const {
  std::vector<std::string> parts = Components(path.relative);
  if (!parts.empty()) parts.pop_back();
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd folder(::openat(fd_.get(), ".", kFlags));
  if (!folder) return OpenError(errno, path.relative);
  for (const std::string& part : parts) {
    if (create && ::mkdirat(folder.get(), part.c_str(), 0777) != 0 && errno != EEXIST) {
      return absl::ErrnoToStatus(errno, fmt::format("{}: its folder cannot be made", Printable(path.relative)));
    }
    UniqueFd next(::openat(folder.get(), part.c_str(), kFlags));
    if (!next) return OpenError(errno, path.relative);
    folder = std::move(next);
  }
  return folder;
}

std::string LeafOf(const ResolvedPath& path) {
  const size_t slash = path.relative.rfind('/');
  return slash == std::string::npos ? path.relative : path.relative.substr(slash + 1);
}

}  // namespace holdfast::cli
