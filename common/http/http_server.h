#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/http/http_connection.h"

namespace holdfast {

struct HttpPage {
  unsigned status = 200;
  std::string text;
  std::string content_type = "text/plain; charset=utf-8";
};

struct HttpServerOptions {
  HttpHandler* handler = nullptr;  // of what is no page; outlives the server
  HttpBounds bounds;
  size_t most_connections = 256;  // what comes beyond them is closed at once
};

// A listener for a few pages that are read by GET or HEAD, and for whatever its handler answers. On the context's
// thread.
class HttpServer {
 public:
  // Path, without a query, to what makes the page; called anew for each request.
  using Pages = std::map<std::string, std::function<HttpPage()>, std::less<>>;

  // UNAVAILABLE names the address that could not be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(boost::asio::io_context& context, const Address& address,
                                                           Pages pages, HttpServerOptions options = {});
  ~HttpServer();

  // With the port that was chosen.
  const Address& address() const;

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace holdfast
