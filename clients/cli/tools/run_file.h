#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/tools/shell.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {

// What a runner is to do.
struct RunOrder {
  std::string command;
  std::chrono::milliseconds timeout{};
};

// How far it is with it.
struct RunRecord {
  RunOrder order;
  bool begun = false;    // the command was about to run, or ran
  pid_t runner = -1;     // of `begun`
  pid_t command = -1;    // of `begun`: the shell, its session and its group
  std::string identity;  // of `begun`: tells this shell from later processes with its number
  std::string
      space;  // of `begun`: where these numbers are those of these processes; empty: not known, or an older release's
  std::optional<ShellResult> result;
  std::string failure;  // instead of a result: why the command could not be started
};

// One command that runs under a runner, in a file whose lock is held by whoever is responsible for it: the client, from
// the making of the file on, then the runner, which inherits the lock, so that there is no moment between. A lock that
// can be had says that nobody is. The file is a line for each step, synced before the next one:
//   {"command": …, "timeout_ms": …}                                     by the client
//   {"begun": true, "runner": PID, "command": PID, "identity": …, "space": …}   by the runner, before the command runs
//   {"end": …, "code": …, "milliseconds": …, "background": …, "bytes": N, "digest": …} and N bytes of output, or
//   {"failure": …}                                                      by the runner, before it ends
class RunFile {
 public:
  // Made anew, in place of what is there under this name, durable, and locked by us. Room for the result is set aside.
  static absl::StatusOr<RunFile> Create(const std::string& path, const RunOrder& order);
  // As it is; NOT_FOUND. Not locked.
  static absl::StatusOr<RunFile> Open(const std::string& path);
  // A file that was inherited with its lock.
  explicit RunFile(UniqueFd fd, std::string path = "the run file") : fd_(std::move(fd)), path_(std::move(path)) {}

  // True when the lock is ours.
  absl::StatusOr<bool> TryLock();
  // DATA_LOSS: not a file of ours. What is not written to its end counts as not written.
  absl::StatusOr<RunRecord> Read() const;

  // Durable when they return OK.
  absl::Status RecordBegun(pid_t runner, pid_t command);
  absl::Status RecordResult(const ShellResult& result);
  absl::Status RecordFailure(const std::string& why);

  int fd() const { return fd_.get(); }
  // Lets the lock go too, unless a runner has it.
  void Close() { fd_.Close(); }

 private:
  absl::Status Append(const std::string& text);

  UniqueFd fd_;
  std::string path_;
};

// Tells the process from others that have or had its number, on this machine and since it was started: boot and start
// time. Empty: there is no such process, or no /proc.
std::string ProcessIdentity(pid_t pid);

// Tells the processes whose numbers are known here from those of other containers and machines, which may share the
// journal's folder: boot and PID namespace. Empty: one of them cannot be read. `proc`: where /proc is.
std::string ProcessSpace(const std::string& proc = "/proc");

}  // namespace holdfast::cli
