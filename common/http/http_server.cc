#include "common/http/http_server.h"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace holdfast {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

HttpAnswer AnswerOf(HttpPage page) {
  return {page.status,
          {{"Content-Type", std::move(page.content_type)}, {"Cache-Control", "no-store"}},
          std::move(page.text)};
}

}  // namespace

// Pages first, then the handler.
struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl>, HttpHandler {
  Impl(asio::io_context& context, Pages known, HttpServerOptions wanted)
      : acceptor(context), retry(context), pages(std::move(known)), options(wanted) {}

  std::optional<HttpAnswer> Refuse(const HttpRequest& head) override {
    const auto page = pages.find(head.path);
    if (page == pages.end()) {
      if (options.handler != nullptr) return options.handler->Refuse(head);
      if (head.method == "GET" || head.method == "HEAD") return Unknown();
    }
    if (head.method != "GET" && head.method != "HEAD") return AnswerOf({.status = 405, .text = "only GET and HEAD\n"});
    return AnswerOf(page->second());
  }

  // Only what Refuse let pass comes here.
  void Serve(HttpRequest request, std::shared_ptr<HttpReply> reply) override {
    options.handler->Serve(std::move(request), std::move(reply));
  }

  HttpAnswer Complain(unsigned status, const std::string& message) override {
    if (options.handler != nullptr) return options.handler->Complain(status, message);
    return AnswerOf({.status = status, .text = message + "\n"});
  }

  HttpAnswer Unknown() const {
    std::string known = "known here:";
    for (const auto& [path, make] : pages) known += " " + path;
    return AnswerOf({.status = 404, .text = known + "\n"});
  }

  asio::awaitable<void> Accept(std::shared_ptr<Impl> self) {
    while (*current != nullptr) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (*current == nullptr) break;
      if (error) {
        // Out of descriptors, most likely: others must close first.
        retry.expires_after(std::chrono::milliseconds(100));
        co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (connections >= options.most_connections) continue;
      ++connections;
      ServeHttpConnection(std::move(socket), current, options.bounds, [self] { --self->connections; });
    }
  }

  tcp::acceptor acceptor;
  asio::steady_timer retry;
  Pages pages;
  HttpServerOptions options;
  Address address;
  size_t connections = 0;
  // This, and null once the server is gone.
  std::shared_ptr<HttpHandler*> current = std::make_shared<HttpHandler*>(this);
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(asio::io_context& context, const Address& address,
                                                              Pages pages, HttpServerOptions options) {
  boost::system::error_code error;
  tcp::resolver resolver(context);
  const auto resolved = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  auto impl = std::make_shared<Impl>(context, std::move(pages), options);
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
  *impl_->current = nullptr;
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->retry.cancel();
}

const Address& HttpServer::address() const { return impl_->address; }

}  // namespace holdfast
