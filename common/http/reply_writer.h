#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http/http_message.h"

namespace holdfast {

// The connection that an answer goes out on, as far as its writer sees it.
class ReplyConnection {
 public:
  virtual ~ReplyConnection() = default;

  // A write makes progress before `deadline`, or the connection ends; it has made some.
  virtual void WatchWrite(std::chrono::steady_clock::time_point deadline) = 0;
  virtual void WriteDone() = 0;
  // Ends the connection at once: what the client has not taken is dropped. The writer's OnGone comes later, as a task.
  virtual void Break() = 0;
  // All of the answer has gone out. Also from inside the handler, or from deep inside of what it calls.
  virtual void OnAnswered(bool keep_alive) = 0;
};

// How an answer is framed.
struct ReplyFraming {
  bool head_only = false;   // what answers HEAD has no body
  bool chunked = true;      // else, in HTTP/1.0, the end of the connection is that of a stream
  bool keep_alive = false;  // another request may follow
};

// The answer to one request. Written piece by piece, in order, at once as far as the system takes it. On the
// connection's thread.
class ReplyWriter final : public HttpReply, public std::enable_shared_from_this<ReplyWriter> {
 public:
  // `socket` is the connection's own, and does not block. A client that takes nothing for `stuck` is cut (HttpBounds).
  ReplyWriter(std::shared_ptr<ReplyConnection> connection, boost::asio::ip::tcp::socket& socket,
              std::chrono::steady_clock::duration stuck, ReplyFraming framing);

  void Send(HttpAnswer answer) override;
  void BeginStream(unsigned status, HttpHeaderList headers) override;
  void Write(std::string piece) override;
  void End() override;
  void Cut() override;
  size_t unsent() const override { return unsent_; }
  void set_on_drained(size_t low, std::function<void()> on_drained) override;
  void set_on_gone(std::function<void()> on_gone) override { on_gone_ = std::move(on_gone); }

  // The connection has ended. Not from inside the methods above.
  void OnGone();

 private:
  // With room for so much after it.
  std::string Head(unsigned status, const HttpHeaderList& headers, size_t room) const;
  void Push(std::string piece);
  // The pieces that are written at once.
  std::array<boost::asio::const_buffer, 2> Next() const;
  void Took(size_t bytes);
  void Pump();
  void WriteLater();
  void OnWritten(const boost::system::error_code& error, size_t bytes);

  std::shared_ptr<ReplyConnection> connection_;
  boost::asio::ip::tcp::socket& socket_;
  const std::chrono::steady_clock::duration stuck_;
  ReplyFraming framing_;
  bool begun_ = false;
  bool streaming_ = false;
  bool ended_ = false;
  bool writing_ = false;
  bool gone_ = false;
  std::deque<std::string> pieces_;
  size_t written_ = 0;  // of the first piece
  size_t unsent_ = 0;
  size_t low_ = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline_;  // for what is left of a complete answer
  std::function<void()> on_drained_;
  std::function<void()> on_gone_;
};

}  // namespace holdfast
