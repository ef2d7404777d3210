#include "clients/cli/terminal/screen.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace holdfast::cli {
namespace {

// Both ends of a pipe, or of a pseudo terminal.
class Ends {
 public:
  Ends() { EXPECT_EQ(pipe2(fds_, O_CLOEXEC), 0); }
  ~Ends() {
    CloseReader();
    close(fds_[1]);
  }
  int writer() const { return fds_[1]; }
  void CloseReader() {
    if (fds_[0] >= 0) close(fds_[0]);
    fds_[0] = -1;
  }
  std::string Read() {
    char buffer[4096];
    const ssize_t n = read(fds_[0], buffer, sizeof(buffer));
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }

 private:
  int fds_[2] = {-1, -1};
};

TEST(Screen, StandardOutputThatIsNoTerminalStaysVerbatim) {
  Ends out;
  Ends err;
  Screen screen(out.writer(), err.writer());
  screen.Out("\x1b[31mred\x1b[0m\n");
  EXPECT_EQ(out.Read(), "\x1b[31mred\x1b[0m\n");
}

TEST(Screen, StandardErrorIsStrippedWhereverItGoes) {
  Ends out;
  Ends err;
  Screen screen(out.writer(), err.writer());
  screen.Err("\x1b]0;title\x07news");
  EXPECT_EQ(err.Read(), "news\n");
}

TEST(Screen, WithoutATerminalThereIsNoStatusAndNoColour) {
  Ends out;
  Ends err;
  Screen screen(out.writer(), err.writer());
  screen.Status("working");
  screen.ErrDim("progress");
  EXPECT_EQ(err.Read(), "progress\n");
}

TEST(Screen, NoticesThatNobodyReads) {
  std::signal(SIGPIPE, SIG_IGN);
  Ends out;
  Ends err;
  Screen screen(out.writer(), err.writer());
  out.CloseReader();
  screen.Out("answer\n");
  EXPECT_TRUE(screen.out_failed());
}

TEST(Screen, EndsOnlyALineThatIsOpen) {
  Ends out;
  Ends err;
  Screen screen(out.writer(), err.writer());
  screen.Out("piece");
  screen.EndOutLine();
  screen.EndOutLine();
  EXPECT_EQ(out.Read(), "piece\n");
}

}  // namespace
}  // namespace holdfast::cli
