#include "quota_service/call/upstream_request.h"

#include <utility>

namespace holdfast::quota {

UpstreamRequest RequestTo(const Account& account, RequestBody body) {
  UpstreamRequest request;
  request.url = account.base_url + body.path;
  request.method = std::move(body.method);
  request.headers = {{"accept", std::move(body.accept)}, {kHopHeader, "1"}};
  if (!body.content_type.empty()) request.headers.emplace_back("content-type", std::move(body.content_type));
  request.headers.insert(request.headers.end(), body.headers.begin(), body.headers.end());
  if (!account.api_key.empty()) request.headers.emplace_back("authorization", "Bearer " + account.api_key);
  request.body = std::move(body.bytes);
  request.connect_timeout = account.connect_timeout;
  return request;
}

}  // namespace holdfast::quota
