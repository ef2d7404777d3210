#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::cli {

// The real binary, with pipes or a pseudo terminal of its own.
class CliProcess {
 public:
  struct Options {
    std::filesystem::path folder;                    // where it runs
    std::map<std::string, std::string> environment;  // all of it
    std::string input;                               // standard input, then its end; not with a terminal
    bool terminal = false;                           // standard input, output and error are a terminal; all is `out`
    bool close_output = false;                       // nobody reads standard output
    std::string output_to{};                         // a file for standard output; "-" where it is closed
    int rows = 0, columns = 0;                       // of the terminal; 0 is what the kernel begins with
  };

  CliProcess(const std::vector<std::string>& arguments, Options options);
  ~CliProcess();
  CliProcess(const CliProcess&) = delete;
  CliProcess& operator=(const CliProcess&) = delete;

  // Types on the terminal.
  void Type(const std::string& text);
  void Signal(int number);
  // Blocks until the text appears; false if the process ends, or half a minute passes, without it.
  bool SeesOut(const std::string& text) { return Sees(out_, text); }
  bool SeesErr(const std::string& text) { return Sees(err_, text); }
  // Blocks until the end; after half a minute it is killed. 128 + signal where one ended it.
  int ExitCode();
  std::string out();
  std::string err();

 private:
  bool Sees(const std::string& stream, const std::string& text);
  void Read(int fd, std::string* into);

  pid_t pid_ = -1;
  int terminal_ = -1;
  int exit_code_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  int open_streams_ = 0;
  std::vector<std::thread> readers_;
};

}  // namespace holdfast::cli
