#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {

using EnvironmentEntry = std::pair<std::string, std::string>;

// This process's environment without the variables named in `hidden`, with `added` in place of what they replace.
std::vector<std::string> ChildEnvironment(const std::vector<std::string>& hidden,
                                          const std::vector<EnvironmentEntry>& added);

struct Child {
  pid_t pid = -1;   // also its session and process group
  UniqueFd exit;    // a pidfd: readable once it ended; none on kernels without
  UniqueFd output;  // standard output and error, merged; not blocking
};

// Starts `/bin/sh -c command` in the directory `folder`, in a session of its own, with /dev/null as standard input, the
// signal mask empty, every signal at its default, and no other descriptor open. The caller reaps it.
absl::StatusOr<Child> SpawnShell(const std::string& command, int folder, const std::vector<std::string>& environment);

}  // namespace holdfast::cli
