#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {

enum class Access {
  kRead,    // links are followed
  kWrite,   // links are followed, to something that exists; nothing inside a `.git`
  kRemove,  // a link in the last place is meant itself; nothing inside a `.git`
};

// A path that was found to lie inside the workspace.
struct ResolvedPath {
  std::string relative;  // from the root; no links, no "..", no doubled slashes; "." is the root
  bool exists = false;
  bool is_link = false;  // only with Access::kRemove
};

// The directory that tools may touch. Paths come from a model and are hostile: neither "..", nor an absolute path, nor
// a symbolic link leads out, and one that is swapped in between Resolve and opening makes the opening fail. Immutable;
// any thread.
class Workspace {
 public:
  enum class Opening {
    kKernel,  // openat2(2) with RESOLVE_BENEATH; component by component where the kernel has none
    kWalk,    // always component by component
  };

  // `root` must be an existing directory; its own links are resolved once, here.
  static absl::StatusOr<Workspace> Open(const std::string& root, Opening opening = Opening::kKernel);

  // Canonical, absolute.
  const std::string& root() const { return root_; }

  // `path` is relative to the root, or absolute inside it. It need not exist. PERMISSION_DENIED where it leaves the
  // workspace; every error names the path and the rule.
  absl::StatusOr<ResolvedPath> Resolve(std::string_view path, Access access) const;

  // Opens what Resolve found, close-on-exec, following no link at all. `flags` as for open(2), without O_CREAT.
  absl::StatusOr<UniqueFd> OpenPath(const ResolvedPath& path, int flags) const;

  // The directory that holds `path`, as an O_PATH descriptor; `create` makes the missing ones.
  absl::StatusOr<UniqueFd> OpenFolderOf(const ResolvedPath& path, bool create) const;

 private:
  Workspace(std::string root, std::string alias, UniqueFd fd, Opening opening);

  // `path`, absolute, without the root in front of it; nothing where it lies elsewhere.
  bool StripRoot(std::string_view& path) const;

  std::string root_;
  std::string alias_;  // the root as it was named, absolute; models are told that name
  UniqueFd fd_;
  Opening opening_;
};

// The last component of `relative`.
std::string LeafOf(const ResolvedPath& path);

}  // namespace holdfast::cli
