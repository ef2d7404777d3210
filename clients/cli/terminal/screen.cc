#include "clients/cli/terminal/screen.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "clients/cli/terminal/tty.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

bool WriteAllTo(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Screen::Screen(int out_fd, int err_fd)
    : out_fd_(out_fd),
      err_fd_(err_fd),
      out_terminal_(IsTerminal(out_fd)),
      err_terminal_(IsTerminal(err_fd)),
      colour_(ColourAllowed(err_fd)) {}

Screen::~Screen() { ClearStatus(); }

void Screen::Out(std::string_view text) {
  if (out_error_ != 0 || text.empty()) return;
  ClearStatus();
  if (!WriteAllTo(out_fd_, out_terminal_ ? out_filter_.Feed(RepairUtf8(text)) : std::string(text))) OnOutFailed(errno);
  out_line_open_ = text.back() != '\n';
}

void Screen::OnOutFailed(int error) {
  out_error_ = error;
  if (error != EPIPE) Err(std::string("standard output cannot be written: ") + std::strerror(error));
}

void Screen::EndOutLine() {
  if (out_line_open_) Out("\n");
}

void Screen::StartErrLine() {
  ClearStatus();
  if (out_line_open_ && out_terminal_ && err_terminal_) EndOutLine();
}

void Screen::Err(std::string_view text) {
  StartErrLine();
  WriteAllTo(err_fd_, Sanitize(RepairUtf8(text)) + "\n");
}

void Screen::ErrDim(std::string_view text) {
  if (!colour_) return Err(text);
  StartErrLine();
  WriteAllTo(err_fd_, std::string(kDim) + Sanitize(RepairUtf8(text)) + std::string(kPlain) + "\n");
}

void Screen::Ask(std::string_view text) {
  StartErrLine();
  WriteAllTo(err_fd_, Sanitize(RepairUtf8(text)));
}

void Screen::Status(std::string_view line) {
  if (!err_terminal_) return;
  const auto columns = static_cast<size_t>(TerminalColumns(err_fd_));
  std::string shown = SanitizeLine(RepairUtf8(line), columns - 1);
  if (shown == status_) return;
  if (status_.empty()) StartErrLine();
  status_ = std::move(shown);
  // One write, so that the line never shows empty in between.
  std::string bytes(kEraseLine);
  bytes += colour_ ? std::string(kDim) + status_ + std::string(kPlain) : status_;
  WriteAllTo(err_fd_, bytes);
}

void Screen::ClearStatus() {
  if (status_.empty()) return;
  status_.clear();
  WriteAllTo(err_fd_, kEraseLine);
}

}  // namespace holdfast::cli
