#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/clock.h"

namespace holdfast::quota {

// How long one address of several is waited for alone. RFC 8305 has 250 ms.
inline constexpr Duration kUsualHeadStart = std::chrono::milliseconds(250);

// Connects to one of the addresses of an upstream. They are tried in their order; the next one begins where the one
// before has failed, or has not answered for a while, which goes on. The first to connect wins, the others are closed.
// So one that swallows packets costs that while, not all of the time that there is. On the loop.
class ConnectRace : public std::enable_shared_from_this<ConnectRace> {
 public:
  using Error = boost::system::error_code;
  using Socket = boost::asio::ip::tcp::socket;
  // Once, on the loop, never from inside Start. An error is that of the address that failed last.
  using Handler = std::function<void(const Error&, Socket)>;

  ConnectRace(boost::asio::io_context& context, Handler handler, Duration head_start = kUsualHeadStart);

  // Once. `to` has one address at least.
  void Start(std::vector<boost::asio::ip::tcp::endpoint> to);
  // Its handler is not called any more.
  void Cancel();

 private:
  void Next();
  void OnConnect(size_t number, const Error& error);
  void End(const Error& error, Socket socket);

  boost::asio::io_context& context_;
  Handler handler_;  // empty: it is over
  const Duration head_start_;
  boost::asio::steady_timer timer_;
  std::vector<boost::asio::ip::tcp::endpoint> to_;
  std::vector<Socket> sockets_;  // of the addresses that were begun with, in their order
  size_t failed_ = 0;
};

}  // namespace holdfast::quota
