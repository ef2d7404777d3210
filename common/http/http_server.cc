#include "common/http/http_server.h"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>

namespace holdfast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Response = http::response<http::string_body>;
using Request = http::request<http::empty_body>;

constexpr auto kIdle = std::chrono::seconds(30);
constexpr uint32_t kMostHeaderBytes = 16 * 1024;
constexpr size_t kMostConnections = 256;

Response Answer(const Request& request, HttpPage page) {
  Response response(static_cast<http::status>(page.status), request.version());
  response.set(http::field::content_type, page.content_type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(request.keep_alive());
  response.body() = std::move(page.text);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// Of errors in what the peer sent, as opposed to those of the connection.
const boost::system::error_category& UnreadableCategory() {
  return make_error_code(http::error::bad_method).category();
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(asio::io_context& context, Pages known) : acceptor(context), retry(context), pages(std::move(known)) {}

  HttpPage Find(const Request& request) const {
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return {.status = 405, .text = "only GET and HEAD\n"};
    }
    const std::string_view target(request.target().data(), request.target().size());
    const auto page = pages.find(target.substr(0, target.find('?')));
    if (page != pages.end()) return page->second();
    std::string known = "known here:";
    for (const auto& [path, make] : pages) known += " " + path;
    return {.status = 404, .text = known + "\n"};
  }

  asio::awaitable<void> Serve(tcp::socket socket, std::shared_ptr<Impl> self) {
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    boost::system::error_code error;
    while (!closed) {
      http::request_parser<http::empty_body> parser;
      parser.header_limit(kMostHeaderBytes);
      stream.expires_after(kIdle);
      co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
      const bool unreadable = error.category() == UnreadableCategory() && error != http::error::end_of_stream;
      if ((error && !unreadable) || closed) break;
      Response response = unreadable ? Answer({}, {.status = 400, .text = "this is not an HTTP request\n"})
                                     : Answer(parser.get(), Find(parser.get()));
      // A body is not read, so nothing can follow it.
      if (unreadable || !parser.is_done()) response.keep_alive(false);
      co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
      if (error || !response.keep_alive()) break;
    }
    stream.socket().shutdown(tcp::socket::shutdown_send, error);
    --self->connections;
  }

  asio::awaitable<void> Accept(std::shared_ptr<Impl> self) {
    while (!closed) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (closed) break;
      if (error) {
        // Out of descriptors, most likely: others must close first.
        retry.expires_after(std::chrono::milliseconds(100));
        co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (connections >= kMostConnections) continue;
      ++connections;
      asio::co_spawn(acceptor.get_executor(), Serve(std::move(socket), self), asio::detached);
    }
  }

  tcp::acceptor acceptor;
  asio::steady_timer retry;
  Pages pages;
  Address address;
  size_t connections = 0;
  bool closed = false;
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(asio::io_context& context, const Address& address,
                                                              Pages pages) {
  boost::system::error_code error;
  tcp::resolver resolver(context);
  const auto resolved = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  auto impl = std::make_shared<Impl>(context, std::move(pages));
  if (!error) {
    const tcp::endpoint endpoint = resolved.begin()->endpoint();
    impl->acceptor.open(endpoint.protocol(), error);
    if (!error) impl->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) impl->acceptor.bind(endpoint, error);
    if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) return absl::UnavailableError(fmt::format("cannot listen on {}: {}", address.ToString(), error.message()));
  impl->address = address;
  impl->address.port = impl->acceptor.local_endpoint().port();
  asio::co_spawn(context, impl->Accept(impl), asio::detached);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->closed = true;
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->retry.cancel();
}

const Address& HttpServer::address() const { return impl_->address; }

}  // namespace holdfast
