#include "clients/cli/tools/command_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "clients/cli/tools/runner.h"
#include "clients/cli/tools/spawn.h"

namespace holdfast::cli {
namespace {

// How often a lock is tried that another client's runner holds; nobody tells us when it is let go.
constexpr int kLookMs = 20;
// SIGTERM to SIGKILL to the end of the output, and to spare.
constexpr auto kCancelPatience = std::chrono::seconds(10);

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t set;
    sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes_, &set);
    sigfillset(&set);
    sigdelset(&set, SIGKILL);
    sigdelset(&set, SIGSTOP);
    ::posix_spawnattr_setsigdefault(&attributes_, &set);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// Above all numbers that the runner is given.
UniqueFd OutOfTheWay(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kFolderFd + 1)); }

}  // namespace

absl::StatusOr<CommandRun> CommandRun::Make(const std::string& path, const RunOrder& order) {
  absl::StatusOr<RunFile> file = RunFile::Create(path, order);
  if (!file.ok()) return file.status();
  CommandRun run(*std::move(file), path);
  run.record_.order = order;
  return run;
}

absl::StatusOr<CommandRun> CommandRun::Find(const std::string& path) {
  absl::StatusOr<RunFile> file = RunFile::Open(path);
  if (!file.ok()) return file.status();
  return CommandRun(*std::move(file), path);
}

absl::Status CommandRun::Start(const std::vector<std::string>& program, int folder,
                               std::vector<std::string> environment) {
  const UniqueFd file = OutOfTheWay(file_.fd());
  const UniqueFd directory = OutOfTheWay(folder);
  if (!file || !directory) return absl::ErrnoToStatus(errno, "no descriptor for the command");
  // Before anything runs: a command that runs and cannot be watched would be told to be an error.
  absl::StatusOr<RunFile> mine = RunFile::Open(path_);
  if (!mine.ok()) return mine.status();
  SpawnActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(actions.get(), STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(actions.get(), STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), file.get(), kRunFileFd);
  ::posix_spawn_file_actions_adddup2(actions.get(), directory.get(), kFolderFd);
  ::posix_spawn_file_actions_addclosefrom_np(actions.get(), kFolderFd + 1);
  SpawnAttributes attributes;
  std::vector<std::string> arguments = program;
  const int error = ::posix_spawn(&runner_, arguments.front().c_str(), actions.get(), attributes.get(),
                                  Pointers(arguments).data(), Pointers(environment).data());
  if (error != 0) {
    runner_ = -1;
    return absl::ErrnoToStatus(error, "the runner of the command cannot be started");
  }
  runner_exit_ = PidFd(runner_);
  // The lock is the runner's alone from now on: ours would keep us from seeing it go.
  file_.Close();
  file_ = *std::move(mine);
  return absl::OkStatus();
}

absl::StatusOr<CommandRun::State> CommandRun::Look() {
  // First the lock, then the file: what a runner has written is there when its lock is gone.
  const absl::StatusOr<bool> locked = file_.TryLock();
  if (!locked.ok()) return locked.status();
  absl::StatusOr<RunRecord> record = file_.Read();
  if (!record.ok()) return record.status();
  record_ = *std::move(record);
  if (!*locked) return State::kRuns;
  Reap(/*block=*/false);
  if (record_.result || !record_.failure.empty()) return State::kEnded;
  return record_.begun ? State::kLost : State::kNotBegun;
}

absl::StatusOr<CommandRun::State> CommandRun::Await(const CancelToken* cancel) {
  std::optional<std::chrono::steady_clock::time_point> cancelled;
  bool told = false;
  for (;;) {
    const absl::StatusOr<State> state = Look();
    if (!state.ok() || *state != State::kRuns) return state;
    const auto now = std::chrono::steady_clock::now();
    if (cancel != nullptr && cancel->cancelled()) {
      if (runner_ <= 0 && record_.begun && !IsHere()) {
        return absl::FailedPreconditionError(
            "the command was started in another container, or on another machine, that shares this folder of journals, "
            "and goes on: end it there, or wait for it");
      }
      if (!cancelled) cancelled = now;
      // A runner that another client started says who it is when it begins.
      if (!told && (runner_ > 0 || record_.begun)) {
        told = true;
        Signal(SIGTERM);
      }
      if (now - *cancelled > kCancelPatience) {
        StopLeftovers();
        Signal(SIGKILL);
      }
    }
    std::array<pollfd, 2> entries = {
        pollfd{runner_exit_.get(), POLLIN, 0},
        pollfd{cancel != nullptr && !cancelled ? cancel->fd() : -1, POLLIN, 0},
    };
    ::poll(entries.data(), entries.size(), kLookMs);
  }
}

bool CommandRun::IsHere() const {
  if (!record_.space.empty()) return record_.space == ProcessSpace();
  return !record_.identity.empty() && ProcessIdentity(record_.command) == record_.identity;
}

void CommandRun::Signal(int number) {
  const pid_t pid = runner_ > 0 ? runner_ : record_.runner;
  if (pid <= 0) return;
  const UniqueFd process = PidFd(pid);
  // Only the runner can hold the lock: while it is held, the number that the runner gave is its own.
  const absl::StatusOr<bool> gone = file_.TryLock();
  if (!gone.ok() || *gone) return;
#ifdef SYS_pidfd_send_signal
  if (process) {
    ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
    return;
  }
#endif
  ::kill(pid, number);
}

bool CommandRun::StopLeftovers() const {
  if (record_.command <= 0 || record_.identity.empty() || !IsHere()) return false;
  return ProcessIdentity(record_.command) == record_.identity && ::kill(-record_.command, SIGKILL) == 0;
}

void CommandRun::Remove() {
  Reap(/*block=*/true);
  ::unlink(path_.c_str());
}

void CommandRun::Reap(bool block) {
  if (runner_ <= 0) return;
  pid_t got = 0;
  while ((got = ::waitpid(runner_, nullptr, block ? 0 : WNOHANG)) < 0 && errno == EINTR) {
  }
  if (got != 0) runner_ = -1;
}

}  // namespace holdfast::cli
