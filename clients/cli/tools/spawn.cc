#include "clients/cli/tools/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace holdfast::cli {
namespace {

constexpr int kFirstFree = 3;  // behind standard input, output and error

struct Becoming {
  int output, folder, gate, failed;
  char* const* arguments;
  char* const* environment;
};

// In the child of a process that may have had other threads: nothing here allocates or locks.
[[noreturn]] void Become(const Becoming& child) {
  ::setsid();
  struct sigaction usual = {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &usual, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  char go = 0;
  ssize_t got = 0;
  while ((got = ::read(child.gate, &go, 1)) < 0 && errno == EINTR) {
  }
  if (got != 1) ::_exit(0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  int error = 0;
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(child.output, STDOUT_FILENO) < 0 ||
      ::dup2(child.output, STDERR_FILENO) < 0 || ::fchdir(child.folder) != 0) {
    error = errno;
  } else {
    // Those of others that were not opened close-on-exec; ours are, and stay open for what exec may have to say.
#ifdef SYS_close_range
    constexpr unsigned kCloexec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
    if (::syscall(SYS_close_range, kFirstFree, ~0U, kCloexec) != 0)
#endif
      for (int fd = kFirstFree; fd < 4096; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::execve("/bin/sh", child.arguments, child.environment);
    error = errno;
  }
  [[maybe_unused]] const ssize_t written = ::write(child.failed, &error, sizeof(error));
  ::_exit(127);
}

struct Pipe {
  UniqueFd read, write;  // above the standard descriptors
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "no pipe for the command");
  const UniqueFd read(ends[0]);
  const UniqueFd write(ends[1]);
  Pipe pipe{AboveStandard(read.get()), AboveStandard(write.get())};
  if (!pipe.read || !pipe.write) return absl::ErrnoToStatus(errno, "no descriptor for the command");
  return pipe;
}

}  // namespace

UniqueFd AboveStandard(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree)); }

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> ChildEnvironment(const std::vector<std::string>& hidden,
                                          const std::vector<EnvironmentEntry>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(added.begin(), added.end(), [&](const auto& one) { return one.first == name; });
    if (!replaced && std::find(hidden.begin(), hidden.end(), name) == hidden.end()) result.emplace_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

absl::StatusOr<Child> SpawnShell(const std::string& command, int folder, const std::vector<std::string>& environment) {
  absl::StatusOr<Pipe> output = MakePipe();
  absl::StatusOr<Pipe> gate = MakePipe();
  absl::StatusOr<Pipe> failed = MakePipe();
  const UniqueFd directory = AboveStandard(folder);
  for (const auto* pipe : {&output, &gate, &failed}) {
    if (!pipe->ok()) return pipe->status();
  }
  if (!directory) return absl::ErrnoToStatus(errno, "no descriptor for the command's folder");

  std::vector<std::string> texts = {"/bin/sh", "-c", "--", command};
  std::vector<std::string> variables = environment;
  const std::vector<char*> arguments = Pointers(texts);
  const std::vector<char*> environ_pointers = Pointers(variables);
  const Becoming becoming{output->write.get(), directory.get(),  gate->read.get(),
                          failed->write.get(), arguments.data(), environ_pointers.data()};
  const int gate_of_parent = gate->write.get();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(gate_of_parent);  // or the end of the parent would not open the child's eyes
    Become(becoming);
  }
  if (pid < 0) return absl::ErrnoToStatus(errno, "the shell cannot be started");
  ::fcntl(output->read.get(), F_SETFL, O_NONBLOCK);
  return Child{.pid = pid,
               .exit = PidFd(pid),
               .output = std::move(output->read),
               .gate = std::move(gate->write),
               .failed = std::move(failed->read)};
}

absl::Status LetGo(Child& child) {
  const char go = 1;
  if (::write(child.gate.get(), &go, 1) != 1) return absl::ErrnoToStatus(errno, "the shell cannot be started");
  child.gate.Close();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(child.failed.get(), &error, sizeof(error))) < 0 && errno == EINTR) {
  }
  child.failed.Close();
  if (got == sizeof(error)) return absl::ErrnoToStatus(error, "the shell cannot be started");
  return absl::OkStatus();
}

UniqueFd PidFd([[maybe_unused]] pid_t pid) {
#ifdef SYS_pidfd_open
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#else
  return UniqueFd();
#endif
}

}  // namespace holdfast::cli
