#include "tests/quota_service/upstream/scripted_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <utility>

namespace holdfast::quota {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

size_t ContentLength(const std::string& head) {
  const size_t at = head.find("\r\nContent-Length: ");
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 18, nullptr, 10);
}

}  // namespace

void ScriptedServer::Connection::ReadRequest() {
  async_read_until(socket_, input_, "\r\n\r\n", [self = shared_from_this()](error_code error, size_t length) {
    if (error) return;
    const auto* begin = static_cast<const char*>(self->input_.data().data());
    self->head_.assign(begin, length);
    self->input_.consume(length);
    self->ReadBody(ContentLength(self->head_));
  });
}

void ScriptedServer::Connection::ReadBody(size_t length) {
  const size_t missing = length - std::min(length, input_.size());
  async_read(socket_, input_, boost::asio::transfer_exactly(missing),
             [self = shared_from_this(), length](error_code error, size_t) {
               if (error) return;
               const auto* begin = static_cast<const char*>(self->input_.data().data());
               self->server_->requests_.push_back(self->head_ + std::string(begin, length));
               self->input_.consume(length);
               self->server_->latest_ = self;
               self->server_->on_request(*self);
               self->ReadRequest();
             });
}

void ScriptedServer::Connection::Send(std::string bytes) {
  output_.push_back(std::move(bytes));
  if (!writing_) WriteNext();
}

void ScriptedServer::Connection::WriteNext() {
  if (output_.empty()) {
    error_code ignored;
    if (close_after_output_) socket_.shutdown(tcp::socket::shutdown_both, ignored);
    return;
  }
  writing_ = true;
  async_write(socket_, boost::asio::buffer(output_.front()), [self = shared_from_this()](error_code error, size_t) {
    self->writing_ = false;
    self->output_.erase(self->output_.begin());
    if (!error) self->WriteNext();
  });
}

void ScriptedServer::Connection::Close() {
  close_after_output_ = true;
  if (!writing_) WriteNext();
}

void ScriptedServer::Connection::Reset() {
  error_code ignored;
  socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

ScriptedServer::ScriptedServer(boost::asio::io_context& context)
    : acceptor_(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
  Accept();
}

std::string ScriptedServer::Url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port(), path);
}

void ScriptedServer::Accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (error) return;
    ++accepted_;
    std::make_shared<Connection>(std::move(socket), this)->ReadRequest();
    Accept();
  });
}

}  // namespace holdfast::quota
