#include "clients/cli/terminal/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "clients/cli/terminal/tty.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMaxLineBytes = 1024 * 1024;
constexpr int kHistoryLines = 500;

class PlainReader final : public LineReader {
 public:
  explicit PlainReader(Interrupts& interrupts) : interrupts_(interrupts) {}

  Result Read(const std::string&, std::string* line) override { return ReadPlainLine(STDIN_FILENO, interrupts_, line); }

 private:
  Interrupts& interrupts_;
};

class EditingReader final : public LineReader {
 public:
  explicit EditingReader(Interrupts& interrupts) : interrupts_(interrupts) {
    std::setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    editor_ = el_init("holdfast", stdin, stderr, stderr);
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &EditingReader::Prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, &EditingReader::GetCharacter);
  }

  ~EditingReader() override {
    el_end(editor_);
    history_end(history_);
  }

  Result Read(const std::string& prompt, std::string* line) override {
    prompt_ = prompt;
    interrupted_ = false;
    int count = 0;
    const char* text = el_gets(editor_, &count);
    if (interrupted_) {
      std::fputc('\n', stderr);
      return Result::kInterrupted;
    }
    if (text == nullptr || count <= 0) return Result::kEnd;
    std::string read(text, static_cast<size_t>(count));
    while (!read.empty() && (read.back() == '\n' || read.back() == '\r')) read.pop_back();
    if (!read.empty()) {
      HistEvent event;
      history(history_, &event, H_ENTER, read.c_str());
    }
    *line = RepairUtf8(read);
    return Result::kLine;
  }

 private:
  static EditingReader* Self(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return static_cast<EditingReader*>(self);
  }

  static char* Prompt(EditLine* editor) { return Self(editor)->prompt_.data(); }

  // libedit's own reader would sleep through a signal; this one looks at the interrupts as well. 1: a character, 0: the
  // end.
  static int GetCharacter(EditLine* editor, wchar_t* character) {
    EditingReader* self = Self(editor);
    std::mbstate_t state{};
    for (;;) {
      if (!AwaitInput(STDIN_FILENO, self->interrupts_)) {
        self->interrupted_ = true;
        return 0;
      }
      char byte = 0;
      const ssize_t n = read(STDIN_FILENO, &byte, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) return 0;
      const size_t used = std::mbrtowc(character, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // more bytes follow
      if (used != static_cast<size_t>(-1)) return 1;
      state = {};
    }
  }

  Interrupts& interrupts_;
  EditLine* editor_;
  History* history_;
  std::string prompt_;
  bool interrupted_ = false;
};

}  // namespace

bool AwaitInput(int fd, const Interrupts& interrupts, const std::function<bool()>& stop) {
  constexpr int kTickMs = 100;
  while (!interrupts.pending() && !(stop && stop())) {
    pollfd waiters[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                        {.fd = interrupts.fd(), .events = POLLIN, .revents = 0}};
    if (poll(waiters, 2, stop ? kTickMs : -1) > 0 && waiters[0].revents != 0 && !interrupts.pending()) return true;
  }
  return false;
}

std::unique_ptr<LineReader> MakeLineReader(Interrupts& interrupts) {
  if (IsTerminal(STDIN_FILENO) && IsTerminal(STDERR_FILENO)) return std::make_unique<EditingReader>(interrupts);
  return std::make_unique<PlainReader>(interrupts);
}

LineReader::Result ReadPlainLine(int fd, Interrupts& interrupts, std::string* line, const std::function<bool()>& stop) {
  std::string read_so_far;
  for (;;) {
    if (!AwaitInput(fd, interrupts, stop)) return LineReader::Result::kInterrupted;
    char byte = 0;
    const ssize_t n = read(fd, &byte, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0 && read_so_far.empty()) return LineReader::Result::kEnd;
    if (n <= 0 || byte == '\n') break;
    if (read_so_far.size() < kMaxLineBytes) read_so_far.push_back(byte);
  }
  *line = RepairUtf8(read_so_far);
  return LineReader::Result::kLine;
}

}  // namespace holdfast::cli
