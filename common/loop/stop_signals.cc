#include "common/loop/stop_signals.h"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace holdfast {

StopSignals::StopSignals(boost::asio::io_context& context, absl::AnyInvocable<void(int)> stop)
    : signals_(context, SIGTERM, SIGINT) {
  AwaitFirst(std::move(stop));
}

void StopSignals::AwaitFirst(absl::AnyInvocable<void(int)> stop) {
  signals_.async_wait([this, stop = std::move(stop)](const boost::system::error_code& error, int number) mutable {
    if (error) return;
    signals_.async_wait([](const boost::system::error_code& failed, int) {
      if (!failed) std::_Exit(1);
    });
    stop(number);
  });
}

}  // namespace holdfast
