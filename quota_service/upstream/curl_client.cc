#include "quota_service/upstream/curl_client.h"

#include <curl/curl.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quota_service/upstream/curl_multi.h"
#include "quota_service/upstream/curl_transfer.h"

namespace holdfast::quota {
namespace {

void InitialiseLibcurlOnce() {
  static const bool done = [] {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct sigaction current {};
    if (sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  static_cast<void>(done);
}

// A running transfer as its owner holds it.
class CurlExchange final : public UpstreamExchange {
 public:
  CurlExchange(std::shared_ptr<CurlTransfer> transfer, std::function<void(CurlTransfer&)> cancel)
      : transfer_(std::move(transfer)), cancel_(std::move(cancel)) {}
  ~CurlExchange() override { cancel_(*transfer_); }
  bool sent() const override { return transfer_->sent(); }
  void SetPaused(bool paused) override { transfer_->SetPaused(paused); }

 private:
  std::shared_ptr<CurlTransfer> transfer_;
  std::function<void(CurlTransfer&)> cancel_;
};

}  // namespace

class CurlClient::Impl {
 public:
  Impl(boost::asio::io_context& context, CurlClientOptions options)
      : context_(context),
        options_(std::move(options)),
        multi_(context, options_.max_idle_connections, [this](CurlMulti::Finished finished) { AfterDrive(finished); }) {
  }

  ~Impl() {
    for (const auto& [easy, transfer] : running_) multi_.Remove(easy);
  }

  std::shared_ptr<CurlTransfer> Start(UpstreamRequest request, UpstreamListener* listener) {
    auto transfer = std::make_shared<CurlTransfer>(
        std::move(request), listener, [this](std::shared_ptr<CurlTransfer> one) { news_.push_back(std::move(one)); });
    absl::Status status = transfer->SetUp(options_);
    if (status.ok() && multi_.Prepare(transfer->easy()) != CURLE_OK) {
      status = absl::UnavailableError("libcurl refuses an option");
    }
    if (status.ok()) status = multi_.Add(transfer->easy());
    if (status.ok()) {
      running_.emplace(transfer->easy(), transfer);
    } else {
      boost::asio::post(context_, [weak = std::weak_ptr(transfer), status = std::move(status)] {
        const auto failed = weak.lock();
        if (failed) failed->Fail(status);
      });
    }
    return transfer;
  }

  void Cancel(CurlTransfer& transfer) {
    transfer.Cancel();
    if (running_.contains(transfer.easy())) {
      multi_.Remove(transfer.easy());
      running_.erase(transfer.easy());
    }
  }

 private:
  void AfterDrive(const CurlMulti::Finished& finished) {
    for (const auto& [easy, code] : finished) {
      const auto found = running_.find(easy);
      if (found == running_.end()) continue;
      found->second->Finish(code);
      running_.erase(found);
    }
    for (const auto& transfer : std::exchange(news_, {})) transfer->Deliver();
  }

  boost::asio::io_context& context_;
  const CurlClientOptions options_;
  std::unordered_map<CURL*, std::shared_ptr<CurlTransfer>> running_;
  std::vector<std::shared_ptr<CurlTransfer>> news_;
  CurlMulti multi_;
};

CurlClient::CurlClient(boost::asio::io_context& context, CurlClientOptions options) {
  InitialiseLibcurlOnce();
  impl_ = std::make_unique<Impl>(context, std::move(options));
}

CurlClient::~CurlClient() = default;

std::unique_ptr<UpstreamExchange> CurlClient::Start(UpstreamRequest request, UpstreamListener* listener) {
  return std::make_unique<CurlExchange>(impl_->Start(std::move(request), listener),
                                        [impl = impl_.get()](CurlTransfer& transfer) { impl->Cancel(transfer); });
}

}  // namespace holdfast::quota
