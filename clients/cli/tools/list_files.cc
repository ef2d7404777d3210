#include "clients/cli/tools/list_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/tool_outcome.h"

namespace holdfast::cli {
namespace {

constexpr int kMaxDepth = 64;                            // also bounds the open descriptors
constexpr size_t kMaxText = kMaxToolOutput - 256;        // room for the note
constexpr size_t kMaxNames = 4 * (kMaxListedFiles + 1);  // kept of one folder while it is read

std::vector<std::string> SortedNames(DIR* folder) {
  std::vector<std::string> names;
  const auto keep_smallest = [&](size_t count) {
    if (names.size() <= count) return;
    std::nth_element(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), names.end());
    names.resize(count);
  };
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || name == ".git") continue;
    names.emplace_back(name);
    if (names.size() >= kMaxNames) keep_smallest(kMaxListedFiles + 1);
  }
  keep_smallest(kMaxListedFiles + 1);
  std::sort(names.begin(), names.end());
  return names;
}

class Walk {
 public:
  // Takes `fd` over.
  void Visit(UniqueFd fd, const std::string& prefix, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd.get()), &::closedir);
    if (!folder) return;
    fd.Release();
    for (const std::string& name : SortedNames(folder.get())) {
      if (full_) return;
      struct stat info = {};
      const bool is_folder =
          ::fstatat(::dirfd(folder.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
      const std::string line = prefix + Printable(name) + (is_folder ? "/" : "");
      if (count_ == kMaxListedFiles || text_.size() + line.size() + 1 > kMaxText) {
        full_ = true;
        return;
      }
      text_ += line + "\n";
      ++count_;
      if (!is_folder) continue;
      UniqueFd inner(
          ::openat(::dirfd(folder.get()), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (inner && depth < kMaxDepth) {
        Visit(std::move(inner), line, depth + 1);
      } else {
        text_ += fmt::format("[{} was not entered: {}]\n", line, inner ? "nested too deeply" : "no permission");
      }
    }
  }

  std::string Text() const {
    if (count_ == 0) return "(empty)\n";
    return full_ ? fmt::format("{}[… more than these {} entries; list a folder of them …]\n", text_, count_) : text_;
  }

 private:
  std::string text_;
  size_t count_ = 0;
  bool full_ = false;
};

}  // namespace

absl::StatusOr<std::string> ListFiles(const Workspace& workspace, const std::string& path) {
  const absl::StatusOr<ResolvedPath> resolved = workspace.Resolve(path, Access::kRead);
  if (!resolved.ok()) return resolved.status();
  const std::string shown = Printable(path);
  if (!resolved->exists) return absl::NotFoundError(fmt::format("{}: does not exist", shown));
  const absl::StatusOr<UniqueFd> fd = workspace.OpenPath(*resolved, O_PATH);
  if (!fd.ok()) return fd.status();
  struct stat info = {};
  if (::fstat(fd->get(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("{}: is not a folder; read_file reads files", shown));
  }
  UniqueFd folder(::openat(fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be listed", shown));
  Walk walk;
  walk.Visit(std::move(folder), "", 0);
  return walk.Text();
}

}  // namespace holdfast::cli
