#include "tests/clients/cli/commands/cli_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

namespace holdfast::cli {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

void WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

}  // namespace

CliProcess::CliProcess(const std::vector<std::string>& arguments, Options options) {
  const char* folder = std::getenv("HOLDFAST_BIN_DIR");
  const std::string binary = std::string(folder == nullptr ? "bin" : folder) + "/holdfast";
  std::vector<std::string> argument_texts{"holdfast"};
  argument_texts.insert(argument_texts.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment;
  for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  short flags = POSIX_SPAWN_SETSIGDEF;

  std::vector<int> child_ends;
  if (options.terminal) {
    flags |= POSIX_SPAWN_SETSID;  // the first terminal that it opens becomes its own
    terminal_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(grantpt(terminal_), 0);
    EXPECT_EQ(unlockpt(terminal_), 0);
    winsize size{};
    size.ws_row = static_cast<unsigned short>(options.rows);
    size.ws_col = static_cast<unsigned short>(options.columns);
    EXPECT_EQ(ioctl(terminal_, TIOCSWINSZ, &size), 0);
    char name[128];
    EXPECT_EQ(ptsname_r(terminal_, name, sizeof(name)), 0);
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
  }
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  if (!options.terminal) {
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    child_ends = {in[0], out[1], err[1]};
    if (options.output_to == "-") {
      posix_spawn_file_actions_addclose(&actions, 1);
    } else if (!options.output_to.empty()) {
      posix_spawn_file_actions_addopen(&actions, 1, options.output_to.c_str(), O_WRONLY, 0);
    }
  }
  posix_spawnattr_setflags(&attributes, flags);
  const int error = posix_spawn(&pid_, binary.c_str(), &actions, &attributes, Pointers(argument_texts).data(),
                                Pointers(environment).data());
  EXPECT_EQ(error, 0) << binary;
  if (error != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (const int fd : child_ends) close(fd);

  if (options.terminal) {
    open_streams_ = 1;
    readers_.emplace_back([this] { Read(terminal_, &out_); });
    return;
  }
  if (options.close_output) {
    close(out[0]);
  } else {
    ++open_streams_;
    readers_.emplace_back([this, fd = out[0]] { Read(fd, &out_); });
  }
  {
    const std::lock_guard lock(mutex_);
    ++open_streams_;
  }
  readers_.emplace_back([this, fd = err[0]] { Read(fd, &err_); });
  WriteAll(in[1], options.input);
  close(in[1]);
}

CliProcess::~CliProcess() {
  if (exit_code_ < 0 && pid_ > 0) kill(pid_, SIGKILL);
  ExitCode();
  if (terminal_ >= 0) close(terminal_);
}

void CliProcess::Read(int fd, std::string* into) {
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));  // EIO: the terminal's last process has gone
    const std::lock_guard lock(mutex_);
    if (n > 0) into->append(buffer, static_cast<size_t>(n));
    if (n <= 0) --open_streams_;
    changed_.notify_all();
    if (n <= 0) break;
  }
  if (fd != terminal_) close(fd);
}

void CliProcess::Type(const std::string& text) { WriteAll(terminal_, text); }

void CliProcess::Signal(int number) {
  ASSERT_GT(pid_, 0) << "it was not started, and -1 is every process there is";
  kill(pid_, number);
}

bool CliProcess::Sees(const std::string& stream, const std::string& text) {
  std::unique_lock lock(mutex_);
  const auto found = [&] { return stream.find(text) != std::string::npos; };
  changed_.wait_for(lock, std::chrono::seconds(30), [&] { return found() || open_streams_ == 0; });
  return found();
}

int CliProcess::ExitCode() {
  if (exit_code_ >= 0 || pid_ <= 0) return exit_code_;
  constexpr int kPatienceMs = 30'000;
  pollfd end{.fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), .events = POLLIN, .revents = 0};
  if (poll(&end, 1, kPatienceMs) == 0) kill(pid_, SIGKILL);
  close(end.fd);
  int status = 0;
  waitpid(pid_, &status, 0);
  for (std::thread& reader : readers_) reader.join();
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

std::string CliProcess::out() {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string CliProcess::err() {
  const std::lock_guard lock(mutex_);
  return err_;
}

}  // namespace holdfast::cli
