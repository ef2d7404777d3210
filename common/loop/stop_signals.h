#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "absl/functional/any_invocable.h"

namespace holdfast {

// SIGTERM and SIGINT, from the moment of construction on: the first one, even if it came before the loop ran, calls
// `stop` with its number on the loop; a second one ends the process at once with exit code 1. Others' handlers for
// these signals are replaced, so there is at most one of these in a process.
class StopSignals {
 public:
  StopSignals(boost::asio::io_context& context, absl::AnyInvocable<void(int)> stop);

 private:
  void AwaitFirst(absl::AnyInvocable<void(int)> stop);

  boost::asio::signal_set signals_;
};

}  // namespace holdfast
