#include "clients/cli/tools/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace holdfast::cli {
namespace {

constexpr int kFirstFree = 3;  // behind standard input, output and error

// The same file at a number that the child's standard descriptors do not take.
UniqueFd AboveStandard(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree)); }

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { ::posix_spawnattr_init(&attributes_); }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

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
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "no pipe for the command's output");
  Child child;
  child.output = UniqueFd(ends[0]);
  UniqueFd write_end(ends[1]);
  const UniqueFd output = AboveStandard(write_end.get());
  const UniqueFd directory = AboveStandard(folder);
  if (!output || !directory) return absl::ErrnoToStatus(errno, "no descriptor for the command");
  write_end.Close();
  ::fcntl(child.output.get(), F_SETFL, O_NONBLOCK);

  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), output.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), output.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addfchdir_np(actions.get(), directory.get());
  ::posix_spawn_file_actions_addclosefrom_np(actions.get(), kFirstFree);

  Attributes attributes;
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  ::posix_spawnattr_setsigmask(attributes.get(), &none);
  ::posix_spawnattr_setsigdefault(attributes.get(), &all);
  ::posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> arguments = {"/bin/sh", "-c", "--", command};
  std::vector<std::string> variables = environment;
  const int error = ::posix_spawn(&child.pid, "/bin/sh", actions.get(), attributes.get(), Pointers(arguments).data(),
                                  Pointers(variables).data());
  if (error != 0) return absl::ErrnoToStatus(error, "the shell cannot be started");
#ifdef SYS_pidfd_open
  child.exit = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
#endif
  return child;
}

}  // namespace holdfast::cli
