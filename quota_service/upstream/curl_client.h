#pragma once

#include <memory>
#include <string>

#include "quota_service/upstream/upstream_client.h"

namespace boost::asio {
class io_context;
}

namespace holdfast::quota {

struct CurlClientOptions {
  std::string user_agent = "holdfast";
  // A PEM file of the certificate authorities to trust instead of the system's. Empty: the system's.
  std::string ca_bundle = "";
  // Idle connections kept for the next request, over all upstreams.
  long max_idle_connections = 512;
};

// HTTP/1.1 by libcurl on the loop of `context`. Connections are reused, TLS is always verified, redirects are never
// followed, nothing is decompressed, and an answer's headers are at most 256 KiB in all (UNAVAILABLE beyond). Proxies
// are taken from the environment as libcurl does (http_proxy, HTTPS_PROXY, NO_PROXY …). A request that cannot be sent
// as it is (a URL that is none, a scheme other than http and https, a line break in a header) ends with
// INVALID_ARGUMENT. No message names a header's value, or the URL's user, password, path or query.
//
// libcurl itself sends a request again where a reused connection turns out to have been closed before any byte of an
// answer came; nothing else is sent twice.
//
// On the loop's thread only. Outlives its exchanges; not to be destroyed inside a listener's callback. Ignores SIGPIPE
// for the process unless that is already handled, because OpenSSL raises it.
class CurlClient final : public UpstreamClient {
 public:
  explicit CurlClient(boost::asio::io_context& context, CurlClientOptions options = {});
  ~CurlClient() override;

  std::unique_ptr<UpstreamExchange> Start(UpstreamRequest request, UpstreamListener* listener) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::quota
