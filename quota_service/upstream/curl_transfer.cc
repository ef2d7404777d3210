#include "quota_service/upstream/curl_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/utf8.h"
#include "quota_service/upstream/request_headers.h"

namespace holdfast::quota {
namespace {

// Sets options until one is refused.
class Setter {
 public:
  explicit Setter(CURL* easy) : easy_(easy) {}

  template <typename T>
  void operator()(CURLoption option, T value) {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(easy_, option, value);
  }

  absl::Status status() const {
    if (code_ == CURLE_OK) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format("libcurl refuses an option: {}", curl_easy_strerror(code_)));
  }

 private:
  CURL* easy_;
  CURLcode code_ = CURLE_OK;
};

// Whether libcurl's own words for this failure name nothing but hosts, ports, byte counts and system errors.
bool MayBeShown(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      return true;
    default:
      return false;
  }
}

}  // namespace

CurlTransfer::CurlTransfer(UpstreamRequest request, UpstreamListener* listener,
                           std::function<void(std::shared_ptr<CurlTransfer>)> on_news)
    : request_(std::move(request)),
      body_bytes_(request_.body.size()),
      listener_(listener),
      on_news_(std::move(on_news)),
      easy_(curl_easy_init()) {}

CurlTransfer::~CurlTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(sent_headers_);
}

absl::Status CurlTransfer::SetUp(const CurlClientOptions& options) {
  if (easy_ == nullptr) return absl::UnavailableError("libcurl has no memory for another request");
  if (auto status = ReadUrl(); !status.ok()) return status;
  const auto connect_timeout = std::chrono::ceil<std::chrono::milliseconds>(request_.connect_timeout).count();
  Setter set(easy_);
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_bundle.empty()) {
    set(CURLOPT_CAINFO, options.ca_bundle.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::clamp<int64_t>(connect_timeout, 1, 3'600'000)));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 60L);
  set(CURLOPT_TCP_KEEPINTVL, 20L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, error_text_.data());
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::OnHeader);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::OnBody);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (auto status = set.status(); !status.ok()) return status;
  if (auto status = SetMethod(); !status.ok()) return status;
  return AddHeaders();
}

absl::Status CurlTransfer::ReadUrl() {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (url == nullptr) return absl::UnavailableError("no memory for the upstream's URL");
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string copy;
    if (curl_url_get(url.get(), which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) copy = text;
    curl_free(text);
    return copy;
  };
  const bool has_nul = request_.url.find('\0') != std::string::npos;
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (has_nul || code != CURLUE_OK) {
    return absl::InvalidArgumentError(
        fmt::format("the upstream's URL is none: {}", has_nul ? "it has a NUL in it" : curl_url_strerror(code)));
  }
  const std::string scheme = part(CURLUPART_SCHEME);
  origin_ = fmt::format("{}://{}:{}", scheme, part(CURLUPART_HOST), part(CURLUPART_PORT));
  if (scheme == "http" || scheme == "https") return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}: an upstream's URL begins with http:// or https://", origin_));
}

absl::Status CurlTransfer::SetMethod() {
  Setter set(easy_);
  if (request_.method == "GET" && request_.body.empty()) {
    set(CURLOPT_HTTPGET, 1L);
  } else if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    // The body stays in request_, where libcurl reads it.
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request_.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  return set.status();
}

absl::Status CurlTransfer::AddHeaders() {
  if (auto status = CheckRequestHeaders(request_.headers); !status.ok()) return status;
  const auto append = [this](const std::string& line) {
    curl_slist* const longer = curl_slist_append(sent_headers_, line.c_str());
    if (longer == nullptr) return false;
    sent_headers_ = longer;
    return true;
  };
  // Without these two libcurl would wait for a 100 Continue, and call every body a form.
  bool ok = append("Expect:");
  if (!HasHeader(request_.headers, "content-type")) ok = append("Content-Type:") && ok;
  for (const auto& [name, value] : request_.headers) {
    // "Name;" is how libcurl is told of a header without a value.
    ok = append(value.empty() ? name + ";" : name + ": " + value) && ok;
  }
  if (!ok) return absl::UnavailableError("no memory for the request's headers");
  Setter set(easy_);
  set(CURLOPT_HTTPHEADER, sent_headers_);
  return set.status();
}

bool CurlTransfer::sent() const {
  long head = 0;
  curl_off_t body = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &head);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &body);
  return head > 0 && static_cast<size_t>(body) >= body_bytes_;
}

void CurlTransfer::SetPaused(bool paused) {
  if (!done_) curl_easy_pause(easy_, paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

size_t CurlTransfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<CurlTransfer*>(self);
  long status = 0;
  curl_easy_getinfo(transfer->easy_, CURLINFO_RESPONSE_CODE, &status);
  const bool was_complete = transfer->headers_.complete();
  // Any other count than the one given makes libcurl end the transfer.
  if (!transfer->headers_.AddLine({bytes, size * count}, status)) return 0;
  if (!was_complete && transfer->headers_.complete()) {
    transfer->http_status_ = status;
    transfer->Announce();
  }
  return size * count;
}

size_t CurlTransfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<CurlTransfer*>(self);
  transfer->body_.append(bytes, size * count);
  transfer->Announce();
  return size * count;
}

void CurlTransfer::Announce() {
  if (std::exchange(announced_, true)) return;
  on_news_(shared_from_this());
}

void CurlTransfer::Finish(CURLcode code) {
  done_ = StatusOf(code);
  request_.body = {};
  Announce();
}

void CurlTransfer::Fail(absl::Status status) {
  done_ = std::move(status);
  Deliver();
}

void CurlTransfer::Deliver() {
  announced_ = false;
  if (listener_ != nullptr && headers_.complete() && !std::exchange(headers_delivered_, true)) {
    listener_->OnHeaders(static_cast<int>(http_status_), headers_.headers());
  }
  if (listener_ != nullptr && !body_.empty()) {
    const std::string bytes = std::exchange(body_, {});
    listener_->OnBody(bytes);
  }
  if (listener_ != nullptr && done_) std::exchange(listener_, nullptr)->OnDone(*std::exchange(done_, std::nullopt));
}

absl::Status CurlTransfer::StatusOf(CURLcode code) const {
  if (code == CURLE_OK) return absl::OkStatus();
  std::string what = curl_easy_strerror(code);
  if (headers_.over_bound()) {
    what = fmt::format("the answer's headers are larger than {} bytes", CurlHeaders::kMostBytes);
  } else if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    // The URL's scheme was checked, so it is the answer that libcurl takes for HTTP/0.9.
    what = "the answer is not HTTP/1.1";
  } else if (MayBeShown(code) && error_text_[0] != '\0') {
    what = RepairUtf8(error_text_.data());
  }
  const std::string message = fmt::format("{}: {}", origin_, what);
  if (code == CURLE_URL_MALFORMAT) return absl::InvalidArgumentError(message);
  return absl::UnavailableError(message);
}

}  // namespace holdfast::quota
