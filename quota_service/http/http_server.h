#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/address.h"

namespace holdfast::quota {

// The HTTP listener: /healthz (the process lives) and /readyz (calls can be answered). On the loop's thread.
class HttpServer {
 public:
  // OK: ready. Otherwise the message says what is missing.
  using Readiness = std::function<absl::Status()>;

  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(boost::asio::io_context& context, const Address& address,
                                                           Readiness readiness);
  ~HttpServer();

  // With the port that was chosen.
  const Address& address() const;

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace holdfast::quota
