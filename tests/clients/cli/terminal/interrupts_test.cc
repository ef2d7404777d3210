#include "clients/cli/terminal/interrupts.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;

TEST(Interrupts, EndASleep) {
  Interrupts interrupts;
  std::thread other([&] { interrupts.Raise(); });
  EXPECT_TRUE(interrupts.WaitFor(std::chrono::minutes(1)));
  other.join();
}

TEST(Interrupts, AreForgottenByReset) {
  Interrupts interrupts;
  interrupts.Raise(true);
  EXPECT_TRUE(interrupts.pending());
  EXPECT_TRUE(interrupts.wants_exit());
  interrupts.Reset();
  EXPECT_FALSE(interrupts.pending());
  EXPECT_FALSE(interrupts.wants_exit());
  EXPECT_FALSE(interrupts.WaitFor(milliseconds(1)));
}

TEST(Interrupts, ReachADescriptorThatLooksOnlyAtItself) {
  const int forward = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Interrupts interrupts;
  interrupts.ForwardTo(forward);
  interrupts.Raise();
  uint64_t value = 0;
  EXPECT_EQ(read(forward, &value, sizeof(value)), static_cast<ssize_t>(sizeof(value)));
  close(forward);
}

TEST(Interrupts, ComeFromSignals) {
  Interrupts interrupts;
  interrupts.Install();
  std::raise(SIGTERM);
  EXPECT_TRUE(interrupts.pending());
  EXPECT_TRUE(interrupts.wants_exit());
}

TEST(InterruptsDeathTest, TheSecondEndsTheProcessAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        interrupts.Install();
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace holdfast::cli
