#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

struct UpstreamRequest {
  std::string method = "POST";
  std::string url;
  HttpHeaders headers;  // secrets included; never logged
  std::string body;
  Duration connect_timeout = std::chrono::seconds(10);
};

// What becomes of one HTTP exchange. Called on the loop, in this order: OnHeaders at most once, OnBody any number of
// times, OnDone exactly once unless the exchange was destroyed first. None is called from inside Start.
class UpstreamListener {
 public:
  virtual ~UpstreamListener() = default;
  virtual void OnHeaders(int http_status, const HttpHeaders& headers) = 0;
  virtual void OnBody(std::string_view bytes) = 0;
  // OK: the answer ended as HTTP says it should. UNAVAILABLE: could not connect, or the connection broke; the message
  // says how. INVALID_ARGUMENT: the request cannot be sent as it is, for example its URL is none.
  virtual void OnDone(absl::Status transport) = 0;
};

// A running exchange. Destroying it cancels it; no callback comes afterwards, also when destroyed inside one.
class UpstreamExchange {
 public:
  virtual ~UpstreamExchange() = default;
  // The whole request has gone out, so that the upstream may have taken it, whatever became of its answer.
  virtual bool sent() const = 0;
  // While it is paused no more of the answer is taken from the connection, whose flow control then holds the upstream
  // up. What has been taken already is still told. A connection that breaks meanwhile is noticed afterwards.
  virtual void SetPaused(bool paused) = 0;
};

// HTTP to upstreams. Interface; HttpClient is the real one, FakeUpstream the tests'. On the loop only.
class UpstreamClient {
 public:
  virtual ~UpstreamClient() = default;
  // `listener` outlives the exchange.
  virtual std::unique_ptr<UpstreamExchange> Start(UpstreamRequest request, UpstreamListener* listener) = 0;
};

}  // namespace holdfast::quota
