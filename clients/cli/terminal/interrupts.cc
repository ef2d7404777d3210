#include "clients/cli/terminal/interrupts.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace holdfast::cli {
namespace {

std::atomic<Interrupts*> installed = nullptr;

void OnSignal(int number) {
  const int saved = errno;
  if (Interrupts* interrupts = installed.load()) interrupts->Raise(number == SIGTERM);
  errno = saved;
}

}  // namespace

Interrupts::Interrupts() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Interrupts::~Interrupts() {
  Interrupts* self = this;
  installed.compare_exchange_strong(self, nullptr);
  if (fd_ >= 0) close(fd_);
}

void Interrupts::Install() {
  installed.store(this);
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);
}

void Interrupts::Raise(bool terminate) {
  constexpr int kInterruptedExit = 130;
  if (terminate) terminate_.store(true);
  if (count_.fetch_add(1) > 0) _exit(kInterruptedExit);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(fd_, &one, sizeof(one));
  if (const int forward = forward_.load(); forward >= 0) written = write(forward, &one, sizeof(one));
}

void Interrupts::Reset() {
  uint64_t value = 0;
  [[maybe_unused]] const ssize_t n = read(fd_, &value, sizeof(value));
  terminate_.store(false);
  count_.store(0);
}

bool Interrupts::WaitFor(Duration duration) const {
  const BootTime end = BootClock::now() + duration;
  while (!pending()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - BootClock::now()).count();
    if (left <= 0) return false;
    pollfd waiter{.fd = fd_, .events = POLLIN, .revents = 0};
    poll(&waiter, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
  }
  return true;
}

}  // namespace holdfast::cli
