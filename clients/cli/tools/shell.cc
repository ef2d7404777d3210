#include "clients/cli/tools/shell.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "clients/cli/tools/output_buffer.h"
#include "common/base/duration_text.h"

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr auto kTermToKill = std::chrono::seconds(2);
constexpr auto kBackgroundGrace = std::chrono::seconds(1);
constexpr auto kPollWithoutPidfd = milliseconds(50);

// One command from its start to its reaping. The shell stays a zombie until then, so that the number of its group is
// not used again by somebody else while we may still signal it.
class Watcher {
 public:
  Watcher(const ShellCommand& command, Child child)
      : cancel_(command.cancel), child_(std::move(child)), start_(std::chrono::steady_clock::now()) {
    deadline_ = start_ + command.timeout;
  }
  ~Watcher() {
    if (child_.pid <= 0) return;
    ::kill(child_.pid, SIGKILL);  // it may have no group yet
    SignalGroup(SIGKILL);
    Reap();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  ShellResult Run() {
    while (!Finished()) {
      WaitForSomething();
      ReadOutput();
    }
    if (stopping_) SignalGroup(SIGKILL);
    result_.left_in_background = !stopping_ && static_cast<bool>(child_.output);
    const int status = Reap();
    if (!stopping_) {
      result_.end = WIFSIGNALED(status) ? ShellResult::End::kSignalled : ShellResult::End::kExited;
      result_.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    }
    result_.duration = std::chrono::steady_clock::now() - start_;
    result_.output = buffer_.Text();
    return std::move(result_);
  }

 private:
  // Advances the state by what time and the processes did, and says whether it is over.
  bool Finished() {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (!exited_ && HasExited()) {
      exited_ = true;
      if (!stopping_) deadline_ = now + kBackgroundGrace;
    }
    if (exited_ && !child_.output) return true;
    if (!stopping_) {
      if (cancel_ != nullptr && cancel_->cancelled()) {
        Stop(ShellResult::End::kCancelled, now);
      } else if (now >= deadline_) {
        if (exited_) return true;
        Stop(ShellResult::End::kTimedOut, now);
      }
    } else if (now >= deadline_) {
      if (killed_ && exited_) return true;
      SignalGroup(SIGKILL);
      killed_ = true;
      deadline_ = now + kBackgroundGrace;
    }
    return false;
  }

  void Stop(ShellResult::End end, SteadyTime now) {
    stopping_ = true;
    result_.end = end;
    SignalGroup(SIGTERM);
    deadline_ = now + kTermToKill;
  }

  void WaitForSomething() {
    const int cancel_fd = cancel_ != nullptr && !stopping_ ? cancel_->fd() : -1;
    std::array<pollfd, 3> entries = {pollfd{child_.output.get(), POLLIN, 0},
                                     pollfd{exited_ ? -1 : child_.exit.get(), POLLIN, 0}, pollfd{cancel_fd, POLLIN, 0}};
    auto left = std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
    if (!exited_ && !child_.exit) left = std::min(left, kPollWithoutPidfd);
    ::poll(entries.data(), entries.size(), static_cast<int>(std::max<int64_t>(left.count(), 0)));
  }

  // One chunk, so that a flood does not keep us from looking at the clock.
  void ReadOutput() {
    if (!child_.output) return;
    std::array<char, 32 * 1024> chunk;
    const ssize_t got = ::read(child_.output.get(), chunk.data(), chunk.size());
    if (got > 0) {
      buffer_.Append({chunk.data(), static_cast<size_t>(got)});
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      child_.output.Close();
    }
  }

  // Also where this process has nothing to wait for, because it ignores SIGCHLD.
  bool HasExited() const {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(child_.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
  }

  void SignalGroup(int signal) const { ::kill(-child_.pid, signal); }

  int Reap() {
    int status = 0;
    while (::waitpid(child_.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child_.pid = -1;
    return status;
  }

  const CancelToken* cancel_;
  Child child_;
  SteadyTime start_;
  SteadyTime deadline_;  // of the time-out; then of SIGKILL; or, once the shell exited, of what it left behind
  bool exited_ = false;
  bool stopping_ = false;
  bool killed_ = false;
  OutputBuffer buffer_;
  ShellResult result_;
};

}  // namespace

absl::StatusOr<ShellResult> RunShell(const ShellCommand& command) {
  if (command.cancel != nullptr && command.cancel->cancelled()) {
    return ShellResult{.end = ShellResult::End::kCancelled, .output = "It was not started."};
  }
  absl::StatusOr<Child> child =
      SpawnShell(command.command, command.folder, ChildEnvironment(command.hidden, command.added));
  if (!child.ok()) return child.status();
  const pid_t pid = child->pid;
  absl::Status ready = command.before_exec ? command.before_exec(pid) : absl::OkStatus();
  if (ready.ok()) ready = LetGo(*child);
  Watcher watcher(command, *std::move(child));
  if (!ready.ok()) return ready;
  return watcher.Run();
}

ToolOutcome DescribeShellResult(const ShellResult& result) {
  const std::string duration = FormatDuration(result.duration);
  std::string text;
  switch (result.end) {
    case ShellResult::End::kExited:
      text = fmt::format("exit code {} after {}", result.code, duration);
      break;
    case ShellResult::End::kSignalled:
      text = fmt::format("ended by signal {} ({}) after {}", result.code, ::strsignal(result.code), duration);
      break;
    case ShellResult::End::kTimedOut:
      text = fmt::format("timed out after {}; the command and its children were killed", duration);
      break;
    case ShellResult::End::kCancelled:
      text = fmt::format("cancelled by the user after {}; the command and its children were killed", duration);
      break;
  }
  if (result.left_in_background) text += "; a background process of it goes on, its further output is lost";
  text += result.output.empty() ? "\n(no output)" : "\n" + result.output;
  return {.output = std::move(text), .is_error = result.end != ShellResult::End::kExited || result.code != 0};
}

}  // namespace holdfast::cli
