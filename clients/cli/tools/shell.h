#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/cancel_token.h"
#include "clients/cli/tools/spawn.h"
#include "clients/cli/tools/tool_outcome.h"
#include "common/base/clock.h"

namespace holdfast::cli {

inline constexpr std::chrono::milliseconds kDefaultShellTimeout = std::chrono::minutes(2);
inline constexpr std::chrono::milliseconds kMaxShellTimeout = std::chrono::minutes(30);

struct ShellCommand {
  std::string command;  // for /bin/sh -c; no NUL byte
  int folder = -1;      // a descriptor of the working directory; not owned
  std::chrono::milliseconds timeout = kDefaultShellTimeout;
  std::vector<std::string> hidden;  // variables that the command must not see
  std::vector<EnvironmentEntry> added;
  const CancelToken* cancel = nullptr;  // not owned; null: cannot be cancelled
  // Called when the process is there (its id is also that of its group) and before it runs anything. Where it fails,
  // nothing runs. May be empty.
  std::function<absl::Status(pid_t)> before_exec{};
};

struct ShellResult {
  enum class End { kExited, kSignalled, kTimedOut, kCancelled };
  End end = End::kExited;
  int code = 0;  // exit code or signal number
  Duration duration{};
  bool left_in_background = false;  // a child of the shell still holds the output open; it was left running
  std::string output;               // valid UTF-8, bounded (OutputBuffer)
};

// Runs a command and waits for its end. At the time-out, and when cancelled, the whole process group gets SIGTERM and 2
// s later SIGKILL. What outlives the shell is waited for 1 s at most. A child that leaves the group (setsid) is out of
// reach. Blocks; any thread.
absl::StatusOr<ShellResult> RunShell(const ShellCommand& command);

// How it ended in the first line, then the output. An exit code other than 0 is an error.
ToolOutcome DescribeShellResult(const ShellResult& result);

}  // namespace holdfast::cli
