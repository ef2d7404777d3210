#pragma once

#include <functional>
#include <memory>
#include <string>

#include "clients/cli/terminal/interrupts.h"

namespace holdfast::cli {

// Reads lines from standard input: with editing and history (libedit) where people type, plainly from a pipe.
class LineReader {
 public:
  enum class Result { kLine, kEnd, kInterrupted };

  virtual ~LineReader() = default;
  // `line` comes without its line feed and as valid UTF-8. An interrupt stays pending.
  virtual Result Read(const std::string& prompt, std::string* line) = 0;
};

// Waits until `fd` can be read, or is at its end; false when an interrupt is pending first, or `stop`, which is asked
// several times a second, says so.
bool AwaitInput(int fd, const Interrupts& interrupts, const std::function<bool()>& stop = nullptr);

// `interrupts` outlives the reader.
std::unique_ptr<LineReader> MakeLineReader(Interrupts& interrupts);

// One line from `fd`, unedited: for answers to a question. Reads no byte behind it. kInterrupted also where `stop` ends
// it.
LineReader::Result ReadPlainLine(int fd, Interrupts& interrupts, std::string* line,
                                 const std::function<bool()>& stop = nullptr);

}  // namespace holdfast::cli
