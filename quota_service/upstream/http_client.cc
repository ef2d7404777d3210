#include "quota_service/upstream/http_client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace holdfast::quota {
namespace {

// Which requests go through it, and which around it, is libcurl's to know.
bool PlainRequestsHaveAProxy() {
  static constexpr const char* kVariables[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
  return std::ranges::any_of(kVariables, [](const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0';
  });
}

}  // namespace

HttpClient::HttpClient(boost::asio::io_context& context, const CurlClientOptions& options)
    : proxied_(PlainRequestsHaveAProxy()),
      curl_(context, options),
      plain_(context, {.user_agent = options.user_agent,
                       .max_idle_connections = static_cast<size_t>(std::max(1L, options.max_idle_connections))}) {}

std::unique_ptr<UpstreamExchange> HttpClient::Start(UpstreamRequest request, UpstreamListener* listener) {
  UpstreamClient& client = !proxied_ && PlainClient::Takes(request) ? static_cast<UpstreamClient&>(plain_) : curl_;
  return client.Start(std::move(request), listener);
}

}  // namespace holdfast::quota
