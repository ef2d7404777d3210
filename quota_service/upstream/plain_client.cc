#include "quota_service/upstream/plain_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "quota_service/upstream/answer_parser.h"
#include "quota_service/upstream/plain_connection.h"
#include "quota_service/upstream/plain_url.h"
#include "quota_service/upstream/request_headers.h"

namespace holdfast::quota {
namespace {

using std::chrono::steady_clock;

// One that has been idle for longer has most likely been closed by then.
constexpr auto kMostIdle = std::chrono::seconds(118);
constexpr uint16_t kDefaultPort = 80;

std::string HeadOf(const UpstreamRequest& request, const PlainUrl& url, const std::string& user_agent) {
  std::string head;
  size_t bytes = 256 + url.target.size() + url.host.size() + user_agent.size();
  for (const auto& [name, value] : request.headers) bytes += name.size() + value.size() + 4;
  head.reserve(bytes);
  const auto out = std::back_inserter(head);
  head.append(request.method).append(" ").append(url.target).append(" HTTP/1.1\r\nHost: ").append(url.host);
  if (url.port != kDefaultPort) fmt::format_to(out, ":{}", url.port);
  head.append("\r\n");
  if (!HasHeader(request.headers, "user-agent")) head.append("User-Agent: ").append(user_agent).append("\r\n");
  if (!HasHeader(request.headers, "accept")) head.append("Accept: */*\r\n");
  for (const auto& [name, value] : request.headers) {
    head.append(name).append(value.empty() ? ":" : ": ").append(value).append("\r\n");
  }
  const bool bodiless = (request.method == "GET" && request.body.empty()) || request.method == "HEAD";
  if (!bodiless) fmt::format_to(out, "Content-Length: {}\r\n", request.body.size());
  return head.append("\r\n");
}

}  // namespace

// Connections that wait for their next request.
class PlainClient::Pool {
 public:
  Pool(boost::asio::io_context& context, size_t most) : context_(context), resolver_(context), most_(most) {}
  ~Pool() {
    for (const Idle& one : idle_) one.connection->Close();
  }

  boost::asio::io_context& context() { return context_; }

  std::shared_ptr<PlainConnection> New(const PlainUrl& url) {
    return std::make_shared<PlainConnection>(context_, resolver_, url);
  }

  // The one that was used last; null: there is none.
  std::shared_ptr<PlainConnection> Take(const PlainUrl& url) {
    const auto now = steady_clock::now();
    for (size_t i = idle_.size(); i-- > 0;) {
      auto connection = idle_[i].connection;
      const bool fits = connection->IsTo(url);
      const bool old = now - idle_[i].since > kMostIdle;
      if (!fits && !old && !connection->closed()) continue;
      idle_.erase(idle_.begin() + static_cast<ptrdiff_t>(i));
      if (!old && fits && connection->IsSilent()) return connection;
      connection->Close();
    }
    return nullptr;
  }

  void Put(std::shared_ptr<PlainConnection> connection) {
    connection->Detach();
    idle_.push_back({std::move(connection), steady_clock::now()});
    if (idle_.size() <= most_) return;
    idle_.front().connection->Close();
    idle_.erase(idle_.begin());
  }

 private:
  struct Idle {
    std::shared_ptr<PlainConnection> connection;
    steady_clock::time_point since;
  };

  boost::asio::io_context& context_;
  NameResolver resolver_;
  const size_t most_;
  std::vector<Idle> idle_;  // the one that was used last is the last
};

// One request, on one connection, or on a second one. Its connection holds it while it runs.
class PlainClient::Transfer final : public PlainConnection::User,
                                    private AnswerParser::Sink,
                                    public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(Pool& pool, UpstreamRequest request, UpstreamListener* listener, Duration resend_within)
      : pool_(pool),
        request_(std::move(request)),
        listener_(listener),
        resend_within_(resend_within),
        parser_(request_.method == "HEAD", this) {}

  absl::Status Begin(const std::string& user_agent) {
    if (auto status = CheckRequestHeaders(request_.headers); !status.ok()) return status;
    if (!Takes(request_))
      return absl::InvalidArgumentError("the upstream's URL is none that is called without libcurl");
    const PlainUrl url = *ReadPlainUrl(request_.url);
    head_ = HeadOf(request_, url, user_agent);
    request_.headers.clear();
    connection_ = pool_.Take(url);
    reused_ = connection_ != nullptr;
    if (reused_) {
      connection_->Attach(shared_from_this());
      Send();
    } else {
      Connect(url);
    }
    return absl::OkStatus();
  }

  void Fail(absl::Status status) {
    if (listener_ != nullptr) std::exchange(listener_, nullptr)->OnDone(std::move(status));
  }

  void Cancel() {
    listener_ = nullptr;
    if (connection_) std::exchange(connection_, nullptr)->Close();
  }

  bool sent() const { return sent_; }

  void SetPaused(bool paused) {
    paused_ = paused;
    if (connection_) connection_->SetPaused(paused);
  }

 private:
  void Connect(const PlainUrl& url) {
    connection_ = pool_.New(url);
    connection_->Attach(shared_from_this());
    connection_->SetPaused(paused_);
    connection_->Connect(
        std::clamp<Duration>(request_.connect_timeout, std::chrono::milliseconds(1), std::chrono::hours(1)));
  }

  void Send() {
    sent_at_ = steady_clock::now();
    if (connection_->Send(head_, request_.body)) OnSent();
  }

  void OnConnected() override { Send(); }
  void OnNotConnected(std::string why) override { End(absl::UnavailableError(why)); }
  void OnSent() override { sent_ = sent_here_ = true; }

  void OnInput(std::string_view bytes) override {
    heard_ = true;
    const absl::Status status = parser_.Feed(bytes);
    if (listener_ == nullptr) return;
    if (!status.ok()) {
      End(status);
    } else if (parser_.done()) {
      End(absl::OkStatus());
    }
  }

  void OnInputEnded(std::string why) override {
    if (reused_ && !heard_ && steady_clock::now() - sent_at_ < resend_within_) {
      // It was closed before it was used.
      std::exchange(connection_, nullptr)->Close();
      reused_ = sent_here_ = false;
      Connect(*ReadPlainUrl(request_.url));
    } else if (!why.empty()) {
      End(absl::UnavailableError("the connection broke: " + why));
    } else {
      End(parser_.End());
    }
  }

  void OnAnswerHead(int http_status, const HttpHeaders& headers) override {
    if (listener_ != nullptr) listener_->OnHeaders(http_status, headers);
  }
  void OnAnswerBody(std::string_view bytes) override {
    if (listener_ != nullptr) listener_->OnBody(bytes);
  }

  void End(const absl::Status& status) {
    if (auto connection = std::exchange(connection_, nullptr)) {
      // One over which the upstream did not want to hear all of the request carries no other.
      if (status.ok() && sent_here_ && parser_.reusable()) {
        pool_.Put(std::move(connection));
      } else {
        connection->Close();
      }
    }
    request_.body = {};
    if (status.ok()) {
      Fail(status);
      return;
    }
    const PlainUrl url = *ReadPlainUrl(request_.url);
    Fail(absl::UnavailableError(fmt::format("http://{}:{}: {}", url.host, url.port,
                                            std::string_view(status.message().data(), status.message().size()))));
  }

  Pool& pool_;
  UpstreamRequest request_;
  UpstreamListener* listener_;
  const Duration resend_within_;
  AnswerParser parser_;
  std::string head_;
  std::shared_ptr<PlainConnection> connection_;
  bool reused_ = false;
  bool sent_ = false;                 // once, over whichever connection
  bool sent_here_ = false;            // over the present one
  steady_clock::time_point sent_at_;  // began to be
  bool heard_ = false;                // a byte of an answer has come
  bool paused_ = false;
};

// A running transfer as its owner holds it.
class PlainClient::Exchange final : public UpstreamExchange {
 public:
  explicit Exchange(std::shared_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
  ~Exchange() override { transfer_->Cancel(); }
  bool sent() const override { return transfer_->sent(); }
  void SetPaused(bool paused) override { transfer_->SetPaused(paused); }

 private:
  std::shared_ptr<Transfer> transfer_;
};

PlainClient::PlainClient(boost::asio::io_context& context, PlainClientOptions options)
    : options_(std::move(options)), pool_(std::make_unique<Pool>(context, options_.max_idle_connections)) {}

PlainClient::~PlainClient() = default;

bool PlainClient::Takes(const UpstreamRequest& request) {
  if (!ReadPlainUrl(request.url)) return false;
  return std::ranges::none_of(request.headers, [](const auto& header) {
    static constexpr std::string_view kFraming[] = {"host",       "content-length", "transfer-encoding",
                                                    "connection", "expect",         "te",
                                                    "trailer",    "upgrade",        "proxy-connection"};
    return std::ranges::any_of(kFraming, [&](std::string_view name) { return EqualsIgnoringCase(header.first, name); });
  });
}

std::unique_ptr<UpstreamExchange> PlainClient::Start(UpstreamRequest request, UpstreamListener* listener) {
  auto transfer = std::make_shared<Transfer>(*pool_, std::move(request), listener, options_.resend_within);
  if (absl::Status status = transfer->Begin(options_.user_agent); !status.ok()) {
    boost::asio::post(pool_->context(), [weak = std::weak_ptr(transfer), status = std::move(status)] {
      if (const auto failed = weak.lock()) failed->Fail(status);
    });
  }
  return std::make_unique<Exchange>(std::move(transfer));
}

}  // namespace holdfast::quota
