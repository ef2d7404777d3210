#pragma once

#include <string>
#include <string_view>

#include "clients/cli/terminal/sanitize.h"

namespace holdfast::cli {

// Standard output and standard error as one thing to write to, because on a terminal they share the line that a status
// occupies. What reaches a terminal or standard error is stripped of control sequences; other standard output stays as
// it is. One thread. Expects SIGPIPE to be ignored.
class Screen {
 public:
  // The descriptors are borrowed.
  Screen(int out_fd, int err_fd);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  // Somebody looks at standard error.
  bool has_terminal() const { return err_terminal_; }
  // Whoever read standard output has gone, or its disk is full.
  bool out_failed() const { return out_error_ != 0; }
  // The errno of that; 0 where it works.
  int out_error() const { return out_error_; }

  // To standard output, as it stands: pieces of a text may follow each other. Where that fails, standard error says
  // why, once, unless it is that nobody reads any more.
  void Out(std::string_view text);
  // Ends a line on standard output that Out left open.
  void EndOutLine();
  // A line on standard error; several, where `text` has line feeds.
  void Err(std::string_view text);
  // As Err, but subdued where colours are allowed: progress rather than news.
  void ErrDim(std::string_view text);
  // A question on standard error; the cursor stays behind it. Terminal only.
  void Ask(std::string_view text);
  // The line at the bottom, rewritten in place, cut to the terminal's width. Without a terminal: nothing.
  void Status(std::string_view line);
  void ClearStatus();

 private:
  // So that what follows starts a line on the terminal.
  void StartErrLine();
  void OnOutFailed(int error);

  int out_fd_;
  int err_fd_;
  bool out_terminal_;
  bool err_terminal_;
  bool colour_;
  int out_error_ = 0;
  bool out_line_open_ = false;
  std::string status_;  // what is shown now
  ControlFilter out_filter_;
};

}  // namespace holdfast::cli
