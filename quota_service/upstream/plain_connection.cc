#include "quota_service/upstream/plain_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace holdfast::quota {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kLongRead = size_t{64} << 10;
// Others have their turn after so many long reads.
constexpr int kMostLongReads = 8;
// A peer that has vanished is noticed: after a minute without a word, and then every 20 s.
constexpr int kKeepAliveIdle = 60;
constexpr int kKeepAliveInterval = 20;

}  // namespace

PlainConnection::PlainConnection(asio::io_context& context, NameResolver& resolver, const PlainUrl& url)
    : context_(context), resolver_(resolver), socket_(context), host_(url.host), port_(url.port) {}

void PlainConnection::Attach(std::shared_ptr<User> user) {
  user_ = std::move(user);
  paused_ = false;
}

void PlainConnection::Detach() {
  user_ = nullptr;
  paused_ = false;
  if (reading_ || held_) {
    // What that brings is of nobody.
    Close();
  } else {
    AwaitAnything();
  }
}

bool PlainConnection::IsSilent() {
  if (closed_) return false;
  char byte = 0;
  return recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

// A wait instead of a read: what has come and was not read can still be told from the next answer.
void PlainConnection::AwaitAnything() {
  if (closed_) return;
  reading_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code&) {
    self->reading_ = false;
    if (self->closed_) return;
    if (!self->user_) {
      // Nothing was asked for.
      self->Close();
    } else if (!self->paused_) {
      error_code error;
      const size_t bytes = self->socket_.read_some(asio::buffer(self->input_), error);
      if (error == asio::error::would_block) {
        self->Read();
      } else {
        self->Take(error, bytes);
      }
    }
  });
}

void PlainConnection::Connect(Duration timeout) {
  connect_timer_ = std::make_unique<asio::steady_timer>(context_, timeout);
  connect_timer_->async_wait([self = shared_from_this(), timeout](const error_code& error) {
    if (error || !self->connect_timer_) return;
    self->FailConnect(fmt::format("Connection timed out after {} milliseconds",
                                  std::chrono::ceil<std::chrono::milliseconds>(timeout).count()));
  });
  if (const auto known = resolver_.Known(host_)) {
    Race(*known);
    return;
  }
  resolver_.LookUp(host_, [weak = weak_from_this()](const NameResolver::Addresses& addresses) {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    if (addresses.empty()) {
      self->FailConnect(fmt::format("Could not resolve host: {}", self->host_));
    } else {
      self->Race(addresses);
    }
  });
}

void PlainConnection::Race(const NameResolver::Addresses& addresses) {
  std::vector<tcp::endpoint> to;
  to.reserve(addresses.size());
  for (const auto& address : addresses) to.emplace_back(address, port_);
  race_ =
      std::make_shared<ConnectRace>(context_, [self = shared_from_this()](const error_code& error, tcp::socket socket) {
        self->socket_ = std::move(socket);
        self->OnConnect(error);
      });
  race_->Start(std::move(to));
}

void PlainConnection::OnConnect(const error_code& error) {
  // Nobody waits for it any more.
  if (closed_ || !connect_timer_) return;
  if (error) {
    FailConnect(fmt::format("Failed to connect to {} port {}: {}", host_, port_, error.message()));
    return;
  }
  connect_timer_.reset();
  race_.reset();
  SetOptions();
  const auto user = user_;
  user->OnConnected();
  if (user_ == user) Read();
}

void PlainConnection::FailConnect(std::string why) {
  const auto user = user_;
  resolver_.Forget(host_);
  Close();
  if (user) user->OnNotConnected(std::move(why));
}

void PlainConnection::SetOptions() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  const int socket = socket_.native_handle();
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepAliveIdle, sizeof(kKeepAliveIdle));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepAliveInterval, sizeof(kKeepAliveInterval));
  fcntl(socket, F_SETFD, FD_CLOEXEC);
}

bool PlainConnection::Send(std::string_view head, std::string_view body) {
  head_ = head;
  body_ = body;
  const std::array<asio::const_buffer, 2> both{asio::buffer(head_), asio::buffer(body_)};
  error_code error;
  const size_t sent = socket_.write_some(both, error);
  const size_t of_head = std::min(sent, head_.size());
  head_.remove_prefix(of_head);
  body_.remove_prefix(sent - of_head);
  if (head_.empty() && body_.empty()) return true;
  // Of other errors the read tells.
  if (!error || error == asio::error::would_block) SendRest();
  return false;
}

void PlainConnection::SendRest() {
  const std::array<asio::const_buffer, 2> both{asio::buffer(head_), asio::buffer(body_)};
  // The user holds the bytes.
  socket_.async_write_some(both, [self = shared_from_this(), user = user_](const error_code& error, size_t sent) {
    if (error || self->closed_ || self->user_ != user) return;
    const size_t of_head = std::min(sent, self->head_.size());
    self->head_.remove_prefix(of_head);
    self->body_.remove_prefix(sent - of_head);
    if (self->head_.empty() && self->body_.empty()) {
      user->OnSent();
    } else {
      self->SendRest();
    }
  });
}

void PlainConnection::SetPaused(bool paused) {
  if (closed_) return;
  paused_ = paused;
  if (paused) return;
  if (!held_) {
    // Take reads on, where it is told to inside of it.
    if (socket_.is_open() && !connect_timer_ && !telling_) Read();
    return;
  }
  asio::post(context_, [self = shared_from_this()] {
    if (self->closed_ || self->paused_ || !self->held_) return;
    const auto [error, bytes] = *std::exchange(self->held_, std::nullopt);
    self->Take(error, bytes);
  });
}

void PlainConnection::Close() {
  closed_ = true;
  user_ = nullptr;
  held_.reset();
  connect_timer_.reset();
  if (race_) std::exchange(race_, nullptr)->Cancel();
  error_code ignored;
  socket_.close(ignored);
}

void PlainConnection::Read() {
  if (reading_ || closed_ || held_) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(input_), [self = shared_from_this()](const error_code& error, size_t bytes) {
    self->OnRead(error, bytes);
  });
}

void PlainConnection::OnRead(const error_code& error, size_t bytes) {
  reading_ = false;
  if (closed_) return;
  if (paused_) {
    held_.emplace(error, bytes);
  } else {
    Take(error, bytes);
  }
}

void PlainConnection::Take(const error_code& error, size_t bytes) {
  thread_local std::vector<char> long_input(kLongRead);
  const auto user = user_;
  const auto goes_on = [&] { return user_ == user && !closed_ && !paused_; };
  const auto end = [&](const error_code& why) {
    user->OnInputEnded(why == asio::error::eof ? std::string() : why.message());
  };
  if (error) {
    end(error);
    return;
  }
  telling_ = true;
  user->OnInput({input_.data(), bytes});
  bool more = bytes == input_.size();
  for (int i = 0; more && goes_on() && i < kMostLongReads; ++i) {
    error_code failed;
    const size_t read = socket_.read_some(asio::buffer(long_input), failed);
    if (failed == asio::error::would_block) break;
    if (failed) {
      telling_ = false;
      end(failed);
      return;
    }
    user->OnInput({long_input.data(), read});
    more = read == long_input.size();
  }
  telling_ = false;
  if (goes_on()) Read();
}

}  // namespace holdfast::quota
