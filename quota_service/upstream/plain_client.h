#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "quota_service/upstream/upstream_client.h"

namespace boost::asio {
class io_context;
}

namespace holdfast::quota {

struct PlainClientOptions {
  std::string user_agent = "holdfast";
  // Idle connections kept for the next request, over all upstreams.
  size_t max_idle_connections = 512;
  // A server that closes an idle connection while a request is on its way to it says so within a round trip; a lost
  // packet makes that a second or so longer. One that is silent for longer has the request, and may have charged it:
  // what then breaks is an error, of which whoever asked decides.
  Duration resend_within = std::chrono::seconds(2);
};

// HTTP/1.1 over TCP without TLS, on the loop of `context`: what CurlClient does for http:// URLs, at a fraction of
// the cost. Connections are reused, redirects are not followed, nothing is decompressed, proxies are not used. Its
// errors are CurlClient's, except that it wants answers as RFC 9112 has them: lines that end in CRLF, one length of a
// body.
//
// A request is sent a second time, on a new connection, where a reused one turns out to have been closed before any
// byte of an answer came, as it does within 2 s or not for that reason; nothing else is sent twice.
//
// On the loop's thread only. Outlives its exchanges.
class PlainClient final : public UpstreamClient {
 public:
  explicit PlainClient(boost::asio::io_context& context, PlainClientOptions options = {});
  ~PlainClient() override;

  // Whether it can send this; see ReadPlainUrl. Not what has headers that say how a request is framed.
  static bool Takes(const UpstreamRequest& request);

  // INVALID_ARGUMENT where it does not take the request.
  std::unique_ptr<UpstreamExchange> Start(UpstreamRequest request, UpstreamListener* listener) override;

 private:
  class Pool;
  class Transfer;
  class Exchange;

  PlainClientOptions options_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace holdfast::quota
