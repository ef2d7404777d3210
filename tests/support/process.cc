#include "tests/support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace holdfast::test {
namespace {

constexpr int kCannotRun = 127;

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& wanted) {
  std::map<std::string, std::string> all = wanted;
  for (const char* name : {"PATH", "TMPDIR", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) all.emplace(name, value);
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : all) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

// A file in memory that holds `text`, to be read from its beginning.
int FileOf(const std::string& text) {
  const int fd = memfd_create("input", MFD_CLOEXEC);
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

// What the child does between fork and exec: only what is safe after a fork of many threads.
[[noreturn]] void Become(pid_t parent, const std::array<int, 3>& streams, const char* folder, char** arguments,
                         char** environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotRun);
  setpgid(0, 0);
  for (int i = 0; i < 3; ++i) dup2(streams[static_cast<size_t>(i)], i);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (*folder == '\0' || chdir(folder) == 0) execvpe(arguments[0], arguments, environment);
  const char* why = std::strerror(errno);
  [[maybe_unused]] const ssize_t written = write(2, why, std::strlen(why));
  _exit(kCannotRun);
}

}  // namespace

std::string Program(const std::string& name) {
  const char* folder = std::getenv("HOLDFAST_BIN_DIR");
  if (folder == nullptr) ADD_FAILURE() << "HOLDFAST_BIN_DIR is not set; run the test through ctest";
  return fmt::format("{}/{}", folder == nullptr ? "bin" : folder, name);
}

Process::Process(const std::vector<std::string>& command, const Options& options) {
  std::vector<std::string> argument_texts = command;
  std::vector<std::string> environment_texts = Environment(options.environment);
  std::vector<char*> arguments = Pointers(argument_texts);
  std::vector<char*> environment = Pointers(environment_texts);

  std::array<int, 2> out{}, err{}, in{-1, -1}, running{};
  EXPECT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err.data(), O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(running.data(), O_CLOEXEC), 0);
  if (options.keep_input_open) {
    // Not a pipe: writing to one that nobody reads any more would end the test by SIGPIPE.
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in.data()), 0);
    input_ = in[1];
  } else {
    in[0] = FileOf(options.input);
  }

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(parent, {in[0], out[1], err[1]}, options.folder.c_str(), arguments.data(), environment.data());
  if (pid_ < 0) {
    std::perror("fork");
    std::abort();  // signals to -1 go to everybody
  }
  setpgid(pid_, pid_);
  for (const int fd : {in[0], out[1], err[1], running[1]}) close(fd);
  // The end comes with exec: from then on it dies with this thread.
  char nothing = 0;
  EXPECT_EQ(read(running[0], &nothing, 1), 0);
  close(running[0]);
  // Not by <sys/pidfd.h>: in glibc 2.36 it has no C linkage for C++.
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  EXPECT_GE(pidfd_, 0) << std::strerror(errno);
  watcher_ = std::thread([this, out = out[0], err = err[0]] { Watch(out, err); });
}

Process::~Process() {
  Kill();
  watcher_.join();
  CloseInput();
  close(pidfd_);
}

// Reads until the process has ended, not until the pipes have: a grandchild may hold them for longer.
void Process::Watch(int out, int err) {
  for (const int fd : {out, err}) fcntl(fd, F_SETFL, O_NONBLOCK);
  std::array<pollfd, 3> events{{{pidfd_, POLLIN, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}}};
  bool ended = false;
  while (!ended) {
    if (poll(events.data(), events.size(), -1) < 0 && errno != EINTR) break;
    ended = events[0].revents != 0;
    if (events[1].fd >= 0 && !Take(out, out_)) events[1].fd = -1;
    if (events[2].fd >= 0 && !Take(err, err_)) events[2].fd = -1;
  }
  Reap();
  close(out);
  close(err);
}

// False: its end has come.
bool Process::Take(int fd, std::string& text) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 && errno == EAGAIN;
    const std::lock_guard lock(mutex_);
    text.append(buffer.data(), static_cast<size_t>(n));
    changed_.notify_all();
  }
}

void Process::Reap() {
  const std::lock_guard lock(mutex_);
  // What it left behind in its group; the group's number is not given away before the reaping.
  kill(-pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  changed_.notify_all();
}

std::optional<std::string> Process::WaitForLine(Stream stream, std::string_view text, Duration patience) {
  const std::string& from = stream == Stream::kOut ? out_ : err_;
  std::optional<std::string> line;
  size_t begin = 0;
  const auto find = [&] {
    for (size_t end = from.find('\n', begin); end != std::string::npos; end = from.find('\n', begin)) {
      const std::string_view candidate(from.data() + begin, end - begin);
      begin = end + 1;
      if (candidate.find(text) == std::string_view::npos) continue;
      line = candidate;
      return true;
    }
    return exit_code_.has_value();
  };
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, find);
  return line;
}

std::optional<int> Process::WaitForExit(Duration patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return exit_code_.has_value(); });
  return exit_code_;
}

void Process::Signal(int number) {
  const std::lock_guard lock(mutex_);
  if (!exit_code_) kill(pid_, number);
}

void Process::Kill() {
  Signal(SIGKILL);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return exit_code_.has_value(); });
}

void Process::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = send(input_, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void Process::CloseInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

std::string Process::out() const {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string Process::err() const {
  const std::lock_guard lock(mutex_);
  return err_;
}

}  // namespace holdfast::test
