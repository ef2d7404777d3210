#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/clock.h"

namespace holdfast::test {

// How long a test waits for what must happen before it fails.
inline constexpr Duration kPatience = std::chrono::seconds(30);

// The path of one of our programs: in the folder that HOLDFAST_BIN_DIR names, as ctest sets it.
std::string Program(const std::string& name);

// A child process whose output is captured. It is killed with its process group when this object goes, and when the
// thread that started it ends, however that ends (PR_SET_PDEATHSIG): start it on a thread that outlives it. Every
// method may be called from any thread.
class Process {
 public:
  enum class Stream { kOut, kErr };

  struct Options {
    // On top of PATH, TMPDIR and the sanitizers' options of the test itself; nothing else is handed down.
    std::map<std::string, std::string> environment{};
    // Where it runs. Empty: where the test runs.
    std::filesystem::path folder{};
    // Its standard input, then the end of it. Not together with `keep_input_open`.
    std::string input{};
    // Standard input is what Write says, until CloseInput.
    bool keep_input_open = false;
  };

  // `command`: the program's path or, where it has no slash, a name in PATH; then its arguments. A program that cannot
  // be run exits with 127.
  explicit Process(const std::vector<std::string>& command) : Process(command, Options()) {}
  Process(const std::vector<std::string>& command, const Options& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  // The first whole line, of all that came so far or come within `patience`, that contains `text`; without its end of
  // line. Absent: time ran out, or the process ended without one.
  std::optional<std::string> WaitForLine(Stream stream, std::string_view text, Duration patience = kPatience);
  // 128 + signal where one ended it. Absent: it still runs.
  std::optional<int> WaitForExit(Duration patience = kPatience);

  // Does nothing once it has ended.
  void Signal(int number);
  // SIGKILL, and waits for the end.
  void Kill();
  void Write(std::string_view text);
  void CloseInput();

  // Everything that came so far.
  std::string out() const;
  std::string err() const;

 private:
  void Watch(int out, int err);
  bool Take(int fd, std::string& text);
  void Reap();

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int input_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  std::optional<int> exit_code_;
  std::thread watcher_;
};

}  // namespace holdfast::test
