#pragma once

#include <curl/curl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
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
  // Before it is added.
  CURLcode Prepare(CURL* easy);

 private:
  struct Watch;

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static curl_socket_t OnOpen(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int OnClose(void* self, curl_socket_t socket);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  void SetWatch(curl_socket_t socket, int what);
  void DropWatch(curl_socket_t socket);
  void Arm(const std::shared_ptr<Watch>& watch);
  void Ready(const std::shared_ptr<Watch>& watch, int flag, bool failed);
  void SetTimer(long timeout_ms);
  void ArmTimer();
  void OnTimerDue();
  void DriveSoon();
  void Drive(curl_socket_t socket, int flags);

  boost::asio::io_context& context_;
  std::function<void(Finished)> after_drive_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  // Those of connections, of which we are told when they are closed. They stay watched between two requests: to
  // register them anew for each is dear.
  std::unordered_set<curl_socket_t> connections_;
  // Shared with the pending wait's handler, which thereby learns that this object is gone.
  std::shared_ptr<boost::asio::steady_timer> timer_;
  // When libcurl wants to be driven, and when the timer will look: earlier than that, if need be, since setting a timer
  // is dear, too.
  std::chrono::steady_clock::time_point wanted_ = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point armed_ = std::chrono::steady_clock::time_point::max();
  bool drive_posted_ = false;
  CURLM* multi_;
};

}  // namespace holdfast::quota
