#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "common/http/http_message.h"

namespace holdfast {

struct HttpBounds {
  size_t body_bytes = size_t{64} * 1024 * 1024;  // of a request, decoded too
  // A client that takes not one byte of its answer for this long is cut, and one that takes the rest of an answer that
  // is complete more slowly than that and a second for each 16 KiB.
  std::chrono::steady_clock::duration stuck = std::chrono::seconds(60);
};

// Serves one connection until it ends, on its executor's thread: HTTP/1.1 and 1.0, one request after the other.
// `handler` answers, null once the server is gone; `on_closed` is called when the connection has ended.
void ServeHttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpHandler*> handler,
                         const HttpBounds& bounds, std::function<void()> on_closed);

}  // namespace holdfast
