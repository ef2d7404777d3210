#include "clients/cli/commands/wait_log.h"

#include <algorithm>

namespace holdfast::cli {
namespace {

constexpr Duration kLeastBetweenLines = std::chrono::seconds(1);
constexpr double kLongestWait = 10 * 366 * 86400.0;  // a hostile server's "seconds" must not overflow a time point

}  // namespace

bool WaitLog::Note(const quota::v1::Wait& wait, BootTime now) {
  const bool fresh = !wait_.has_value() && !std::exchange(doubted_, false);
  wait_ = wait;
  end_ = now + FromSeconds(std::clamp(wait.seconds(), 0.0, kLongestWait));
  if (!fresh) {
    const double moved = ToSeconds(end_ > told_end_ ? end_ - told_end_ : told_end_ - end_);
    const bool material = wait.reason() != told_.reason() || wait.scope() != told_.scope() ||
                          wait.dimension() != told_.dimension() || wait.position() != told_.position() ||
                          moved > std::max(1.0, SecondsLeft(now) / 10);
    if (!material || now - told_at_ < kLeastBetweenLines) return false;
  }
  told_ = wait;
  told_end_ = end_;
  told_at_ = now;
  return true;
}

void WaitLog::Clear() {
  wait_.reset();
  doubted_ = false;
}

double WaitLog::SecondsLeft(BootTime now) const { return wait_ ? std::max(0.0, ToSeconds(end_ - now)) : 0; }

}  // namespace holdfast::cli
