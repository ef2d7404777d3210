#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "boost/asio/awaitable.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "tests/upstream_simulator/limits.h"

namespace holdfast::simulator {

struct HttpRequest {
  std::string method;
  std::string path;  // without the query
  std::string authorization;
  std::string body;
  bool keep_alive = true;
  bool too_large = false;  // over 64 MiB: the body was not read, the connection must end
};

struct HttpHead {
  unsigned status = 200;
  std::string content_type = "application/json";
  Headers headers;
  bool keep_alive = true;
};

// The server's side of one HTTP/1.1 connection. One thread; one coroutine drives it. Writes return false when the peer
// is gone.
class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  explicit HttpStream(boost::asio::ip::tcp::socket socket);

  // Nothing when the peer is done, or does not speak HTTP.
  boost::asio::awaitable<std::optional<HttpRequest>> Read();

  boost::asio::awaitable<bool> WriteWhole(HttpHead head, std::string_view body);
  // `content_length` absent: chunked.
  boost::asio::awaitable<bool> WriteHead(HttpHead head, std::optional<std::size_t> content_length);
  boost::asio::awaitable<bool> WriteRaw(std::string_view bytes);
  boost::asio::awaitable<bool> WriteChunk(std::string_view bytes);
  boost::asio::awaitable<bool> WriteLastChunk();

  // From Watch to Unwatch, a peer that hangs up is noticed at once: it ends a Pause and fails a write.
  void Watch();
  void Unwatch();
  bool gone() const { return gone_; }
  boost::asio::awaitable<void> Pause(std::int64_t milliseconds);

  void Reset();  // TCP RST
  void Close();

 private:
  boost::asio::awaitable<void> AwaitHangUp(std::shared_ptr<HttpStream> self, std::shared_ptr<bool> active);
  bool Note(const boost::system::error_code& error);

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<bool> watching_;
  bool gone_ = false;
};

}  // namespace holdfast::simulator
