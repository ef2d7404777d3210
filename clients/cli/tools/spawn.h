#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
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
  UniqueFd gate;    // closed without LetGo, or with this process, the child ends and has run nothing
  UniqueFd failed;  // brings the errno of exec where that fails
};

// Makes the process that is to run `/bin/sh -c command` in the directory `folder`, in a session of its own, with
// /dev/null as standard input, the signal mask empty, every signal at its default, and no other descriptor open. It
// does not run the command before LetGo: what has to be known of it can be written down first. The caller reaps it.
absl::StatusOr<Child> SpawnShell(const std::string& command, int folder, const std::vector<std::string>& environment);
// An error: the command did not begin.
absl::Status LetGo(Child& child);

// A pidfd of the process; none where the kernel or the process is missing.
UniqueFd PidFd(pid_t pid);

// NULL-terminated, into `strings`, which outlive it.
std::vector<char*> Pointers(std::vector<std::string>& strings);

// The same file at a number that a child's standard descriptors do not take; closed on exec.
UniqueFd AboveStandard(int fd);

}  // namespace holdfast::cli
