#include "tests/upstream_simulator/http_server.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "boost/asio/as_tuple.hpp"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "fmt/format.h"
#include "tests/upstream_simulator/api_session.h"

namespace holdfast::simulator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kAfterFailedAccept = std::chrono::milliseconds(50);

using Serve = asio::awaitable<void> (*)(std::shared_ptr<HttpStream>, Simulator&);

absl::StatusOr<tcp::endpoint> ParseEndpoint(const std::string& text) {
  const absl::Status bad = absl::InvalidArgumentError(fmt::format(
      "the address '{}' is not of the form 127.0.0.1:8080 or [::1]:8080 (a literal address and a port)", text));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad;
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  unsigned short port = 0;
  const auto [end, failure] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (error || failure != std::errc() || end != text.data() + text.size()) return bad;
  return tcp::endpoint(address, port);
}

absl::Status Open(tcp::acceptor& acceptor, const std::string& text) {
  const absl::StatusOr<tcp::endpoint> endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return endpoint.status();
  boost::system::error_code error;
  acceptor.open(endpoint->protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(*endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("cannot listen on {}: {}", text, error.message()));
}

asio::awaitable<void> Accept(tcp::acceptor& acceptor, Simulator& simulator, Serve serve) {
  asio::steady_timer timer(acceptor.get_executor());
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kToken);
    if (!error) {
      auto stream = std::make_shared<HttpStream>(std::move(socket));
      asio::co_spawn(acceptor.get_executor(), serve(std::move(stream), simulator), asio::detached);
      continue;
    }
    timer.expires_after(kAfterFailedAccept);  // out of file descriptors: some will come back
    co_await timer.async_wait(kToken);
  }
}

std::string Url(const tcp::acceptor& acceptor) {
  const tcp::endpoint endpoint = acceptor.local_endpoint();
  const std::string address = endpoint.address().to_string();
  const std::string host = endpoint.address().is_v6() ? fmt::format("[{}]", address) : address;
  return fmt::format("http://{}:{}", host, endpoint.port());
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, Simulator& simulator) : simulator_(simulator), api_(io), control_(io) {}

absl::Status HttpServer::Listen(const std::string& api, const std::string& control) {
  if (absl::Status status = Open(api_, api); !status.ok()) return status;
  if (absl::Status status = Open(control_, control); !status.ok()) return status;
  asio::co_spawn(api_.get_executor(), Accept(api_, simulator_, ServeApi), asio::detached);
  asio::co_spawn(control_.get_executor(), Accept(control_, simulator_, ServeControl), asio::detached);
  return absl::OkStatus();
}

std::string HttpServer::ApiUrl() const { return Url(api_) + "/v1"; }

std::string HttpServer::ControlUrl() const { return Url(control_); }

}  // namespace holdfast::simulator
