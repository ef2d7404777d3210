#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>

namespace holdfast::bench {

// A provider of chat completions that only streams: each event carries the moment at which it was written.
class StreamUpstream {
 public:
  struct Options {
    uint16_t port = 0;
    double rate = 0;      // events a second of each stream; 0: as fast as they are taken
    bool refuse = false;  // every request is refused with 429, to be sent again in half an hour
    std::chrono::steady_clock::time_point end;
  };

  StreamUpstream(boost::asio::io_context& context, Options options);

 private:
  class Session;
  void Accept();

  boost::asio::io_context& context_;
  Options options_;
  boost::asio::ip::tcp::acceptor acceptor_;
};

// CLOCK_MONOTONIC, the same for both ends of one machine.
int64_t NowNs();

}  // namespace holdfast::bench
