#pragma once

#include <curl/curl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace holdfast::quota {

// libcurl's multi handle, driven by Asio: Asio waits for the sockets and the time that libcurl names, and tells it when
// they come. libcurl's callbacks run inside; `after_drive` runs when libcurl has returned, so that it may add and
// remove handles freely, which libcurl forbids inside its own callbacks.
class CurlMulti {
 public:
  using Finished = std::vector<std::pair<CURL*, CURLcode>>;

  // `after_drive` gets the handles that are done, removed already; often none.
  CurlMulti(boost::asio::io_context& context, long max_idle_connections, std::function<void(Finished)> after_drive);
  // Every handle was removed before.
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Never runs the handle's callbacks at once.
  absl::Status Add(CURL* easy);
  void Remove(CURL* easy);

 private:
  struct Watch;

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  void SetWatch(curl_socket_t socket, int what);
  void DropWatch(curl_socket_t socket);
  void Arm(const std::shared_ptr<Watch>& watch);
  void Ready(const std::shared_ptr<Watch>& watch, int flag, bool failed);
  void SetTimer(long timeout_ms);
  void Drive(curl_socket_t socket, int flags);

  boost::asio::io_context& context_;
  std::function<void(Finished)> after_drive_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  // Shared with the pending wait's handler, which thereby learns that this object is gone.
  std::shared_ptr<boost::asio::steady_timer> timer_;
  CURLM* multi_;
};

}  // namespace holdfast::quota
