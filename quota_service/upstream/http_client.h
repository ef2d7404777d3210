#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "quota_service/upstream/curl_client.h"
#include "quota_service/upstream/plain_client.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// All of HTTP to upstreams: plain requests, as a server on this machine or beside it is asked, by PlainClient, the rest
// (TLS, proxies, unusual URLs) by CurlClient. On the loop's thread only, as these are.
class HttpClient final : public UpstreamClient {
 public:
  explicit HttpClient(boost::asio::io_context& context, const CurlClientOptions& options = {});

  std::unique_ptr<UpstreamExchange> Start(UpstreamRequest request, UpstreamListener* listener) override;

 private:
  const bool proxied_;
  CurlClient curl_;
  PlainClient plain_;
};

}  // namespace holdfast::quota
