#include "quota_service/upstream/curl_multi.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <string>
#include <utility>

namespace holdfast::quota {

// One socket of libcurl's, and what libcurl wants of it. Outlives the socket while a wait is pending.
struct CurlMulti::Watch {
  Watch(boost::asio::io_context& context, CurlMulti* owner, curl_socket_t watched)
      : descriptor(context), multi(owner), socket(watched) {}

  boost::asio::posix::stream_descriptor descriptor;
  CurlMulti* multi;  // null when the socket is closed
  curl_socket_t socket;
  int wanted = 0;  // CURL_POLL_IN, CURL_POLL_OUT, or both
  bool waits_to_read = false;
  bool waits_to_write = false;
};

CurlMulti::CurlMulti(boost::asio::io_context& context, long max_idle_connections,
                     std::function<void(Finished)> after_drive)
    : context_(context),
      after_drive_(std::move(after_drive)),
      timer_(std::make_shared<boost::asio::steady_timer>(context)),
      multi_(curl_multi_init()) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_idle_connections);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(multi_);
  while (!watches_.empty()) DropWatch(watches_.begin()->first);
  timer_->cancel();
}

absl::Status CurlMulti::Add(CURL* easy) {
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  if (code == CURLM_OK) return absl::OkStatus();
  return absl::UnavailableError(std::string("libcurl: ") + curl_multi_strerror(code));
}

void CurlMulti::Remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }

int CurlMulti::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto* const multi = static_cast<CurlMulti*>(self);
  if (what != CURL_POLL_REMOVE) {
    multi->SetWatch(socket, what);
  } else if (multi->connections_.contains(socket)) {
    multi->SetWatch(socket, 0);
  } else {
    multi->DropWatch(socket);
  }
  return 0;
}

curl_socket_t CurlMulti::OnOpen(void* self, curlsocktype, curl_sockaddr* address) {
  const curl_socket_t made = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (made >= 0) static_cast<CurlMulti*>(self)->connections_.insert(made);
  return made >= 0 ? made : CURL_SOCKET_BAD;
}

int CurlMulti::OnClose(void* self, curl_socket_t socket) {
  auto* const multi = static_cast<CurlMulti*>(self);
  multi->DropWatch(socket);
  multi->connections_.erase(socket);
  return close(socket);
}

CURLcode CurlMulti::Prepare(CURL* easy) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlMulti::OnOpen);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlMulti::OnClose);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  return code;
}

int CurlMulti::OnTimer(CURLM*, long timeout_ms, void* self) {
  static_cast<CurlMulti*>(self)->SetTimer(timeout_ms);
  return 0;
}

void CurlMulti::SetWatch(curl_socket_t socket, int what) {
  if (what == 0 && !watches_.contains(socket)) return;
  std::shared_ptr<Watch>& watch = watches_[socket];
  if (!watch) {
    watch = std::make_shared<Watch>(context_, this, socket);
    boost::system::error_code error;
    watch->descriptor.assign(socket, error);
    // libcurl's own time-outs end a transfer whose socket cannot be watched.
    if (error) {
      watches_.erase(socket);
      return;
    }
  }
  watch->wanted = what;
  Arm(watch);
}

void CurlMulti::DropWatch(curl_socket_t socket) {
  const auto found = watches_.find(socket);
  if (found == watches_.end()) return;
  found->second->multi = nullptr;
  found->second->descriptor.release();
  watches_.erase(found);
}

void CurlMulti::Arm(const std::shared_ptr<Watch>& watch) {
  using boost::asio::posix::stream_descriptor;
  if ((watch->wanted & CURL_POLL_IN) != 0 && !watch->waits_to_read) {
    watch->waits_to_read = true;
    watch->descriptor.async_wait(stream_descriptor::wait_read, [watch](const boost::system::error_code& error) {
      watch->waits_to_read = false;
      if (watch->multi != nullptr) watch->multi->Ready(watch, CURL_CSELECT_IN, error.failed());
    });
  }
  if ((watch->wanted & CURL_POLL_OUT) != 0 && !watch->waits_to_write) {
    watch->waits_to_write = true;
    watch->descriptor.async_wait(stream_descriptor::wait_write, [watch](const boost::system::error_code& error) {
      watch->waits_to_write = false;
      if (watch->multi != nullptr) watch->multi->Ready(watch, CURL_CSELECT_OUT, error.failed());
    });
  }
}

void CurlMulti::Ready(const std::shared_ptr<Watch>& watch, int flag, bool failed) {
  const int wanted_flag = flag == CURL_CSELECT_IN ? CURL_POLL_IN : CURL_POLL_OUT;
  // A wait that libcurl lost interest in meanwhile; it is armed anew when the interest returns.
  if ((watch->wanted & wanted_flag) == 0) return;
  Drive(watch->socket, failed ? CURL_CSELECT_ERR : flag);
  if (watch->multi != nullptr) Arm(watch);
}

void CurlMulti::SetTimer(long timeout_ms) {
  using std::chrono::steady_clock;
  wanted_ = steady_clock::time_point::max();
  if (timeout_ms < 0) return;
  if (timeout_ms == 0) {
    DriveSoon();
    return;
  }
  wanted_ = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  if (wanted_ < armed_) ArmTimer();
}

void CurlMulti::ArmTimer() {
  armed_ = wanted_;
  timer_->expires_at(armed_);
  timer_->async_wait([this, alive = std::weak_ptr(timer_)](const boost::system::error_code& error) {
    if (!error && !alive.expired()) OnTimerDue();
  });
}

void CurlMulti::OnTimerDue() {
  using std::chrono::steady_clock;
  armed_ = steady_clock::time_point::max();
  if (wanted_ == steady_clock::time_point::max()) return;
  if (wanted_ > steady_clock::now()) {
    ArmTimer();
    return;
  }
  wanted_ = steady_clock::time_point::max();
  Drive(CURL_SOCKET_TIMEOUT, 0);
}

// At once, but not from inside libcurl's callback.
void CurlMulti::DriveSoon() {
  if (std::exchange(drive_posted_, true)) return;
  boost::asio::post(context_, [this, alive = std::weak_ptr(timer_)] {
    if (alive.expired()) return;
    drive_posted_ = false;
    Drive(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlMulti::Drive(curl_socket_t socket, int flags) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, flags, &running);
  Finished finished;
  int left = 0;
  // A message is void once its handle is removed, so all are copied first.
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) finished.emplace_back(message->easy_handle, message->data.result);
  }
  for (const auto& [easy, code] : finished) curl_multi_remove_handle(multi_, easy);
  after_drive_(std::move(finished));
}

}  // namespace holdfast::quota
