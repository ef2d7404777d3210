#include "common/loop/stop_signals.h"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

namespace holdfast {
namespace {

TEST(StopSignalsTest, ASignalThatComesBeforeTheLoopRunsIsNotLost) {
  for (const int signal : {SIGTERM, SIGINT}) {
    boost::asio::io_context context;
    std::vector<int> stops;
    const StopSignals signals(context, [&](int number) {
      stops.push_back(number);
      context.stop();
    });
    std::raise(signal);
    context.run();
    EXPECT_EQ(stops, std::vector<int>{signal});
  }
}

TEST(StopSignalsDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        boost::asio::io_context context;
        const StopSignals signals(context, [](int) { std::raise(SIGTERM); });
        std::raise(SIGTERM);
        context.run();
      },
      testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace holdfast
