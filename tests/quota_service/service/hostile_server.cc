#include "tests/quota_service/service/hostile_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>

namespace holdfast::quota {

using boost::asio::ip::tcp;

bool HostileServer::Connection::Send(const std::string& bytes) {
  boost::system::error_code error;
  sent_ += boost::asio::write(socket_, boost::asio::buffer(bytes), error);
  return !error;
}

void HostileServer::Connection::SendForEver(const std::string& bytes) {
  constexpr size_t kMost = size_t{1} << 30;
  for (size_t sent = 0; sent < kMost && Send(bytes); sent += bytes.size()) {
  }
}

HostileServer::HostileServer(std::function<void(Connection&)> answer)
    : answer_(std::move(answer)),
      acceptor_(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
      thread_([this] { Serve(); }) {}

HostileServer::~HostileServer() {
  stopping_ = true;
  // Wakes the thread, which may be accepting.
  tcp::socket waker(context_);
  boost::system::error_code error;
  waker.connect(acceptor_.local_endpoint(), error);
  thread_.join();
}

std::string HostileServer::base_url() const {
  return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1";
}

std::vector<std::string> HostileServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HostileServer::Serve() {
  for (;;) {
    tcp::socket socket(context_);
    boost::system::error_code error;
    acceptor_.accept(socket, error);
    if (stopping_ || error) return;
    ++connections_;
    std::string request = ReadRequest(socket);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    Connection connection(socket, sent_);
    answer_(connection);
    socket.shutdown(tcp::socket::shutdown_send, error);
  }
}

std::string HostileServer::ReadRequest(tcp::socket& socket) {
  std::string request;
  boost::system::error_code error;
  const size_t head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(request), "\r\n\r\n", error);
  if (error) return request;
  const size_t at = request.find("Content-Length: ");
  if (at == std::string::npos || at > head) return request;
  const size_t length = std::strtoull(request.c_str() + at + 16, nullptr, 10);
  if (request.size() < head + length) {
    boost::asio::read(socket, boost::asio::dynamic_buffer(request),
                      boost::asio::transfer_exactly(head + length - request.size()), error);
  }
  return request;
}

}  // namespace holdfast::quota
