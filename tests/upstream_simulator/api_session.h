#pragma once

#include <memory>

#include "boost/asio/awaitable.hpp"
#include "tests/upstream_simulator/http_stream.h"
#include "tests/upstream_simulator/simulator.h"

namespace holdfast::simulator {

// CLOCK_BOOTTIME and the wall clock, now.
Moment CurrentMoment();

// Serve one connection until it ends. `simulator` must outlive it.
boost::asio::awaitable<void> ServeApi(std::shared_ptr<HttpStream> stream, Simulator& simulator);
boost::asio::awaitable<void> ServeControl(std::shared_ptr<HttpStream> stream, Simulator& simulator);

}  // namespace holdfast::simulator
