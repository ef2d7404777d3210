#include "tests/quota_service/frontdoor/http_session.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/write.hpp>

namespace holdfast::test {
namespace {

using boost::asio::ip::tcp;

}  // namespace

HttpSession::HttpSession(const Address& address, int receive_buffer) {
  socket_.open(tcp::v4());
  if (receive_buffer > 0) socket_.set_option(tcp::socket::receive_buffer_size(receive_buffer));
  socket_.connect({boost::asio::ip::make_address(address.host), address.port});
  const timeval patience{30, 0};
  setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

void HttpSession::Send(std::string_view bytes) {
  boost::system::error_code ignored;
  boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), ignored);
}

void HttpSession::Post(std::string_view path, std::string_view body, std::string_view headers) {
  Send(fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}",
                   path, body.size(), headers, body));
}

std::string HttpSession::ReadUntil(std::string_view text) {
  char bytes[4096];
  while (text.empty() || received_.find(text) == std::string::npos) {
    const ssize_t count = recv(socket_.native_handle(), bytes, sizeof(bytes), 0);
    if (count <= 0) break;
    received_.append(bytes, static_cast<size_t>(count));
  }
  return received_;
}

void HttpSession::ShutdownSend() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void HttpSession::Close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace holdfast::test
