#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "quota_service/upstream/curl_client.h"
#include "quota_service/upstream/curl_headers.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// One request on one easy handle. libcurl's callbacks only collect what comes; Deliver passes it on afterwards, outside
// of libcurl, so that a listener may do anything, its exchange's destruction included.
class CurlTransfer : public std::enable_shared_from_this<CurlTransfer> {
 public:
  // `on_news` is called inside libcurl's callbacks when there is something to deliver and nothing was before.
  CurlTransfer(UpstreamRequest request, UpstreamListener* listener,
               std::function<void(std::shared_ptr<CurlTransfer>)> on_news);
  // The handle was removed from its multi handle before.
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Before the handle is used. INVALID_ARGUMENT: this cannot be sent.
  absl::Status SetUp(const CurlClientOptions& options);

  CURL* easy() const { return easy_; }
  // As UpstreamExchange has it.
  bool sent() const;

  // Not inside libcurl's callbacks.
  void SetPaused(bool paused);

  // libcurl is done with the handle, which was removed; Deliver is due.
  void Finish(CURLcode code);
  // Ends a transfer that libcurl was never given, and tells the listener.
  void Fail(absl::Status status);

  // Tells the listener what has come. It may call Cancel, and may drop the last reference but the caller's.
  void Deliver();
  // The listener hears nothing more.
  void Cancel() { listener_ = nullptr; }

 private:
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);

  // Sets origin_.
  absl::Status ReadUrl();
  absl::Status AddHeaders();
  absl::Status SetMethod();
  absl::Status StatusOf(CURLcode code) const;
  void Announce();

  UpstreamRequest request_;
  const size_t body_bytes_;  // of the request
  UpstreamListener* listener_;
  std::function<void(std::shared_ptr<CurlTransfer>)> on_news_;
  std::string origin_;  // scheme://host:port, without what may be secret
  CURL* easy_;
  curl_slist* sent_headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_text_{};

  CurlHeaders headers_;
  long http_status_ = 0;
  // Collected and not delivered yet.
  bool announced_ = false;
  bool headers_delivered_ = false;
  std::string body_;
  std::optional<absl::Status> done_;
};

}  // namespace holdfast::quota
