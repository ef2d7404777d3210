#pragma once

#include <string>

#include "absl/status/status.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "tests/upstream_simulator/simulator.h"

namespace holdfast::simulator {

// Both faces, on the thread that runs `io`. `simulator` and `io` must outlive the server, and the server must outlive
// io.run().
class HttpServer {
 public:
  HttpServer(boost::asio::io_context& io, Simulator& simulator);

  // Addresses are "127.0.0.1:0" or "[::1]:0"; port 0 takes any free one. INVALID_ARGUMENT or UNAVAILABLE names the
  // address.
  absl::Status Listen(const std::string& api, const std::string& control);

  // After Listen: "http://127.0.0.1:PORT/v1" and "http://127.0.0.1:PORT".
  std::string ApiUrl() const;
  std::string ControlUrl() const;
  unsigned short api_port() const { return api_.local_endpoint().port(); }
  unsigned short control_port() const { return control_.local_endpoint().port(); }

 private:
  Simulator& simulator_;
  boost::asio::ip::tcp::acceptor api_;
  boost::asio::ip::tcp::acceptor control_;
};

}  // namespace holdfast::simulator
