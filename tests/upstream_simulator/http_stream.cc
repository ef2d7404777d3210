#include "tests/upstream_simulator/http_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "boost/asio/as_tuple.hpp"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/http.hpp"

namespace holdfast::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::uint64_t kMaxBody = std::uint64_t{64} * 1024 * 1024;
constexpr std::uint32_t kMaxHeader = 64 * 1024;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

template <typename Message>
void Fill(Message& message, const HttpHead& head) {
  message.version(11);
  message.result(head.status);
  message.set(http::field::content_type, head.content_type);
  for (const auto& [name, value] : head.headers) message.set(name, value);
  message.keep_alive(head.keep_alive);
}

}  // namespace

HttpStream::HttpStream(asio::ip::tcp::socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

bool HttpStream::Note(const boost::system::error_code& error) {
  if (error) gone_ = true;
  return !error;
}

asio::awaitable<std::optional<HttpRequest>> HttpStream::Read() {
  http::request_parser<http::string_body> parser;
  parser.body_limit(kMaxBody);
  parser.header_limit(kMaxHeader);
  HttpRequest request;
  auto [header_error, header_bytes] = co_await http::async_read_header(socket_, buffer_, parser, kToken);
  if (header_error == http::error::body_limit) {
    request.too_large = true;
    co_return request;
  }
  if (header_error) co_return std::nullopt;
  if (boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> proceed(http::status::continue_, 11);
    auto [error, bytes] = co_await http::async_write(socket_, proceed, kToken);
    if (error) co_return std::nullopt;
  }
  auto [body_error, body_bytes] = co_await http::async_read(socket_, buffer_, parser, kToken);
  request.too_large = body_error == http::error::body_limit;
  if (body_error && !request.too_large) co_return std::nullopt;

  http::request<http::string_body> message = parser.release();
  const std::string target(message.target());
  request.method = std::string(message.method_string());
  request.path = target.substr(0, target.find('?'));
  request.authorization = std::string(message[http::field::authorization]);
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  co_return request;
}

asio::awaitable<bool> HttpStream::WriteWhole(HttpHead head, std::string_view body) {
  http::response<http::string_body> message;
  Fill(message, head);
  message.body() = body;
  message.prepare_payload();
  auto [error, bytes] = co_await http::async_write(socket_, message, kToken);
  co_return Note(error);
}

asio::awaitable<bool> HttpStream::WriteHead(HttpHead head, std::optional<std::size_t> content_length) {
  http::response<http::empty_body> message;
  Fill(message, head);
  if (content_length) {
    message.content_length(*content_length);
  } else {
    message.chunked(true);
  }
  http::response_serializer<http::empty_body> serializer(message);
  auto [error, bytes] = co_await http::async_write_header(socket_, serializer, kToken);
  co_return Note(error);
}

asio::awaitable<bool> HttpStream::WriteRaw(std::string_view bytes) {
  auto [error, written] = co_await asio::async_write(socket_, asio::buffer(bytes), kToken);
  co_return Note(error);
}

asio::awaitable<bool> HttpStream::WriteChunk(std::string_view bytes) {
  auto [error, written] = co_await asio::async_write(socket_, http::make_chunk(asio::buffer(bytes)), kToken);
  co_return Note(error);
}

asio::awaitable<bool> HttpStream::WriteLastChunk() {
  auto [error, written] = co_await asio::async_write(socket_, http::make_chunk_last(), kToken);
  co_return Note(error);
}

void HttpStream::Watch() {
  watching_ = std::make_shared<bool>(true);
  asio::co_spawn(socket_.get_executor(), AwaitHangUp(shared_from_this(), watching_), asio::detached);
}

void HttpStream::Unwatch() {
  *watching_ = false;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<void> HttpStream::AwaitHangUp([[maybe_unused]] std::shared_ptr<HttpStream> self,
                                              std::shared_ptr<bool> active) {
  while (*active) {
    auto [error] = co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, kToken);
    if (error || !*active) co_return;
    char byte = 0;
    const ssize_t seen = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen > 0) co_return;  // the next request, sent early: nothing can be told until it is read
    if (seen < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    gone_ = true;
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.cancel(ignored);
    co_return;
  }
}

asio::awaitable<void> HttpStream::Pause(std::int64_t milliseconds) {
  if (gone_ || milliseconds <= 0) co_return;
  timer_.expires_after(std::chrono::milliseconds(milliseconds));
  co_await timer_.async_wait(kToken);
}

void HttpStream::Reset() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

void HttpStream::Close() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace holdfast::simulator
