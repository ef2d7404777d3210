#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "quota_service/upstream/connect_race.h"
#include "quota_service/upstream/name_resolver.h"
#include "quota_service/upstream/plain_url.h"

namespace holdfast::quota {

// One TCP connection to an upstream, which carries one request after the other. On the loop.
class PlainConnection : public std::enable_shared_from_this<PlainConnection> {
 public:
  // Who uses it at the moment. Called from the loop, never from inside a method of the connection.
  class User {
   public:
    virtual ~User() = default;
    virtual void OnConnected() = 0;
    // No connection came about.
    virtual void OnNotConnected(std::string why) = 0;
    virtual void OnInput(std::string_view bytes) = 0;
    // Nothing more comes. `why` is empty where it ended in order.
    virtual void OnInputEnded(std::string why) = 0;
    // All that Send left over has gone out.
    virtual void OnSent() = 0;
  };

  // `resolver` outlives its users.
  PlainConnection(boost::asio::io_context& context, NameResolver& resolver, const PlainUrl& url);

  // For the use of one request. From now on what comes is told.
  void Attach(std::shared_ptr<User> user);
  // Its user is done with it, and has read all of its answer. Whatever comes now ends the connection unread, so that
  // nobody takes it for the answer to the next request.
  void Detach();
  // Nothing has come over a detached connection, not even its end, as far as the system knows at this moment.
  bool IsSilent();

  void Connect(Duration timeout);
  // True: it has gone out. Otherwise OnSent comes, if it ever does, and the user keeps both until then. A connection
  // that breaks is told as the end of the input.
  bool Send(std::string_view head, std::string_view body);
  void SetPaused(bool paused);
  // At once; its user hears nothing more.
  void Close();

  bool IsTo(const PlainUrl& url) const { return url.port == port_ && url.host == host_; }
  bool closed() const { return closed_; }

 private:
  using Error = boost::system::error_code;

  void Race(const NameResolver::Addresses& addresses);
  void OnConnect(const Error& error);
  void FailConnect(std::string why);
  void SendRest();
  void AwaitAnything();
  void Read();
  void OnRead(const Error& error, size_t bytes);
  void Take(const Error& error, size_t bytes);
  void SetOptions();

  boost::asio::io_context& context_;
  NameResolver& resolver_;
  boost::asio::ip::tcp::socket socket_;
  const std::string host_;
  const uint16_t port_;
  std::shared_ptr<User> user_;
  // While it is connected to.
  std::shared_ptr<ConnectRace> race_;
  std::unique_ptr<boost::asio::steady_timer> connect_timer_;
  std::string_view head_;  // what has not gone out yet
  std::string_view body_;
  bool reading_ = false;  // or waiting for anything
  bool telling_ = false;  // its user is in the midst of `input_`
  bool paused_ = false;
  bool closed_ = false;
  // Came while it was paused, and is told afterwards.
  std::optional<std::pair<Error, size_t>> held_;
  // An answer that is short, as most are, comes in one read; what is longer is read into a buffer that all share.
  std::array<char, 2048> input_;
};

}  // namespace holdfast::quota
