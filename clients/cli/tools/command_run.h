#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/tools/cancel_token.h"
#include "clients/cli/tools/run_file.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {

// A command that runs under a runner, as the client sees it: any client of this machine that holds the session's
// journal, also one that was started after the command was. One thread.
class CommandRun {
 public:
  enum class State {
    kNotBegun,  // nobody is responsible for it, and it never ran; the lock is ours
    kRuns,      // a runner lives
    kEnded,     // record().result, or record().failure, says how
    kLost,      // the runner died: the command may have run, in whole or in part
  };

  // Durable when it returns: a new run, in place of what the file says.
  static absl::StatusOr<CommandRun> Make(const std::string& path, const RunOrder& order);
  // The run that a client has left; NOT_FOUND.
  static absl::StatusOr<CommandRun> Find(const std::string& path);

  // Starts a runner in a session of its own; only in kNotBegun. `program`: its path and arguments. `folder`: the
  // command's working directory. The environment is the command's, too.
  absl::Status Start(const std::vector<std::string>& program, int folder, std::vector<std::string> environment);
  // As it is now.
  absl::StatusOr<State> Look();
  // Blocks until it is no longer kRuns. Once `cancel` (may be null) is cancelled, the runner is told to end the command
  // with its process group; one that does not within some seconds is killed. FAILED_PRECONDITION: it was cancelled, and
  // its runner is in another container, or on another machine: it goes on.
  absl::StatusOr<State> Await(const CancelToken* cancel);
  // As of the last Look or Await.
  const RunRecord& record() const { return record_; }
  // In kLost: kills what is left of the command, where it can be told from other processes. False: nothing was killed.
  bool StopLeftovers() const;
  // Of its file.
  std::string name() const { return path_.substr(path_.rfind('/') + 1); }
  // When its result is in the journal.
  void Remove();

 private:
  CommandRun(RunFile file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  // The numbers of the record are those of processes here.
  bool IsHere() const;
  void Signal(int number);
  void Reap(bool block);

  RunFile file_;
  std::string path_;
  RunRecord record_;
  pid_t runner_ = -1;  // a child of ours, not reaped
  UniqueFd runner_exit_;
};

}  // namespace holdfast::cli
