#include "common/http/http_connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <chrono>
#include <deque>
#include <optional>

#include "common/http/content_decoder.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;
using std::chrono::seconds;

constexpr auto kIdle = seconds(120);       // between two requests
constexpr auto kHead = seconds(15);        // from a request's first byte to the end of its headers
constexpr auto kBodyGrace = seconds(30);   // for a body, and
constexpr size_t kBodyPerSecond = 16'384;  // a second more for each so many bytes of it
constexpr auto kLinger = seconds(2);       // for a client to take an answer that it did not expect
constexpr size_t kLingerBytes = size_t{256} << 10;
constexpr uint32_t kMostHeaderBytes = 32 * 1024;
constexpr size_t kMostBuffered = 64 * 1024;
constexpr size_t kHeadBuffer = 4 * 1024;
// What the system takes of an answer ahead of its client; the rest waits here, where it is bounded.
constexpr int kSendBuffer = 256 * 1024;
constexpr size_t kMostPipelined = 16 * 1024;  // read ahead while an answer is under way

// Of errors in what the peer sent, as opposed to those of the connection.
bool IsUnreadable(const error_code& error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

const char* ReasonOf(unsigned status) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return reason.data();
}

// RFC 9110, section 6.6.1; made once a second.
const std::string& DateNow() {
  thread_local std::string date;
  thread_local std::time_t at = -1;
  const std::time_t now = std::time(nullptr);
  if (now != at) {
    at = now;
    date = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return date;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

uint64_t NextConnectionNumber() {
  static std::atomic<uint64_t> number = 0;
  return ++number;
}

class Connection;

// The answer to one request. Written piece by piece, in order, each with a write of its own.
class Reply final : public HttpReply, public std::enable_shared_from_this<Reply> {
 public:
  Reply(std::shared_ptr<Connection> connection, bool head_only, bool chunked, bool keep_alive)
      : connection_(std::move(connection)), head_only_(head_only), chunked_(chunked), keep_alive_(keep_alive) {}

  void Send(HttpAnswer answer) override {
    if (begun_) return;
    begun_ = true;
    std::string head = Head(answer.status, answer.headers);
    const bool has_body = answer.status != 204 && answer.status != 304;
    if (has_body) head += fmt::format("Content-Length: {}\r\n", answer.body.size());
    head += "\r\n";
    // One write for what is small; a large body is not copied for it.
    constexpr size_t kJoined = 16'384;
    const bool body = has_body && !head_only_ && !answer.body.empty();
    if (body && answer.body.size() <= kJoined) head += answer.body;
    Push(std::move(head));
    if (body && answer.body.size() > kJoined) Push(std::move(answer.body));
    ended_ = true;
    Pump();
  }

  void BeginStream(unsigned status, HttpHeaderList headers) override {
    if (begun_) return;
    begun_ = streaming_ = true;
    if (!chunked_) keep_alive_ = false;
    std::string head = Head(status, headers);
    head += chunked_ ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
    Push(std::move(head));
    Pump();
  }

  void Write(std::string piece) override {
    if (!streaming_ || ended_ || piece.empty() || head_only_) return;
    if (chunked_) {
      std::string chunk = fmt::format("{:x}\r\n", piece.size());
      chunk.reserve(chunk.size() + piece.size() + 2);
      chunk.append(piece).append("\r\n");
      piece = std::move(chunk);
    }
    Push(std::move(piece));
    Pump();
  }

  void End() override {
    if (!streaming_ || ended_) return;
    if (chunked_ && !head_only_) Push("0\r\n\r\n");
    ended_ = true;
    Pump();
  }

  void Cut() override;
  size_t unsent() const override { return unsent_; }
  void set_on_drained(size_t low, std::function<void()> on_drained) override {
    low_ = low;
    on_drained_ = std::move(on_drained);
  }
  void set_on_gone(std::function<void()> on_gone) override { on_gone_ = std::move(on_gone); }

  // All has gone out, or nothing more can.
  bool finished() const { return gone_ || (ended_ && pieces_.empty()); }
  bool keep_alive() const { return keep_alive_ && !gone_; }

  void OnGone() {
    if (gone_) return;
    gone_ = true;
    // The piece that is being written stays until the write has ended.
    while (pieces_.size() > (writing_ ? 1U : 0U)) pieces_.pop_back();
    unsent_ = 0;
    on_drained_ = nullptr;
    if (const auto on_gone = std::exchange(on_gone_, nullptr); on_gone && !ended_) on_gone();
  }

 private:
  std::string Head(unsigned status, const HttpHeaderList& headers) const {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", status, ReasonOf(status), DateNow());
    for (const auto& [name, value] : headers) {
      // What others wrote cannot begin a header of its own.
      if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) continue;
      head.append(name).append(": ").append(value).append("\r\n");
    }
    if (!keep_alive_) {
      head += "Connection: close\r\n";
    } else if (!chunked_) {
      head += "Connection: keep-alive\r\n";  // which is not HTTP/1.0's default
    }
    return head;
  }

  void Push(std::string piece) {
    if (gone_) return;
    unsent_ += piece.size();
    pieces_.push_back(std::move(piece));
  }
  void Pump();
  void OnWritten(const error_code& error, size_t bytes);

  std::shared_ptr<Connection> connection_;
  const bool head_only_;
  const bool chunked_;
  bool keep_alive_;
  bool begun_ = false;
  bool streaming_ = false;
  bool ended_ = false;
  bool writing_ = false;
  bool gone_ = false;
  std::deque<std::string> pieces_;
  size_t written_ = 0;  // of the first piece
  size_t unsent_ = 0;
  size_t low_ = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline_;  // for what is left of a complete answer
  std::function<void()> on_drained_;
  std::function<void()> on_gone_;
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<HttpHandler*> handler, const HttpBounds& bounds,
             std::function<void()> on_closed)
      : socket_(std::move(socket)),
        handler_(std::move(handler)),
        bounds_(bounds),
        on_closed_(std::move(on_closed)),
        clock_(socket_.get_executor()),
        stuck_(socket_.get_executor()),
        wake_(socket_.get_executor()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(tcp::socket::send_buffer_size(kSendBuffer), ignored);
    socket_.non_blocking(true, ignored);
  }

  asio::awaitable<void> Run(std::shared_ptr<Connection> self) {
    while (co_await ServeOne(self)) {
    }
    error_code ignored;
    clock_.cancel();
    stuck_.cancel();
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    socket_.close(ignored);
    on_closed_();
  }

  tcp::socket& socket() { return socket_; }

  const HttpBounds& bounds() const { return bounds_; }

  // A write makes progress before `deadline`, or the connection ends.
  void WatchWrite(std::chrono::steady_clock::time_point deadline) {
    stuck_.expires_at(deadline);
    stuck_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (!error && self) self->Break();
    });
  }
  void WriteDone() { stuck_.cancel(); }

  // Ends whatever is under way, at once: what the client has not taken is dropped.
  void Break() {
    broken_ = true;
    error_code ignored;
    socket_.set_option(tcp::socket::linger(true, 0), ignored);
    socket_.close(ignored);
    wake_.cancel();
  }
  // The answer has gone out: the wait for a hang-up is over.
  void Wake() {
    error_code ignored;
    socket_.cancel(ignored);
    wake_.cancel();
  }

 private:
  static auto To(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

  // Ends the reads under way at this moment.
  void SetDeadline(std::chrono::steady_clock::time_point when) {
    late_ = false;
    clock_.expires_at(when);
    clock_.async_wait([weak = weak_from_this(), number = ++deadline_](const error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->deadline_ != number) return;
      self->late_ = true;
      error_code ignored;
      self->socket_.cancel(ignored);
    });
  }
  void SetDeadline(std::chrono::steady_clock::duration after) { SetDeadline(std::chrono::steady_clock::now() + after); }
  void ClearDeadline() {
    ++deadline_;
    clock_.cancel();
  }

  // False: the connection ends.
  asio::awaitable<bool> ServeOne(std::shared_ptr<Connection> self) {
    error_code error;
    SetDeadline(kIdle);
    if (buffer_.size() == 0) {
      buffer_.shrink_to_fit();
      co_await socket_.async_wait(tcp::socket::wait_read, To(error));
      if (error) co_return false;
    }
    SetDeadline(kHead);
    // Beast reads into what room there is, and makes only little.
    buffer_.reserve(kHeadBuffer);
    Parser parser;
    parser.header_limit(kMostHeaderBytes);
    parser.body_limit(bounds_.body_bytes);
    co_await http::async_read_header(socket_, buffer_, parser, To(error));
    if (error) {
      if (late_) co_return co_await Refuse(408, "the headers of this request did not come within 15s");
      if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        co_return co_await Refuse(431, fmt::format("the headers are larger than {} bytes", kMostHeaderBytes));
      }
      if (error == http::error::body_limit) co_return co_await Refuse(413, TooLarge());
      if (IsUnreadable(error)) {
        co_return co_await Refuse(400, fmt::format("this is not an HTTP request: {}", error.message()));
      }
      co_return false;
    }
    auto& message = parser.get();
    HttpRequest request = RequestOf(message);
    keep_alive_ = message.keep_alive();
    head_only_ = request.method == "HEAD";
    chunked_ = message.version() >= 11;
    if (std::string wrong = WrongWithHead(message, request); !wrong.empty()) co_return co_await Refuse(400, wrong);
    if (*handler_ == nullptr) co_return false;
    if (auto answer = (*handler_)->Refuse(request)) {
      co_return co_await Answer(*std::move(answer), parser.is_done());
    }
    auto decoder = ContentDecoder::Make(request.Header("content-encoding"));
    if (!decoder.ok()) co_return co_await Refuse(415, std::string(decoder.status().message()));

    if (!parser.is_done()) {
      if (const std::string_view expect = request.Header("expect"); !expect.empty()) {
        if (Lower(expect) != "100-continue") co_return co_await Refuse(417, "expect: only 100-continue is known here");
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()), To(error));
        if (error) co_return false;
      }
      buffer_.reserve(kMostBuffered);
      const auto begun = std::chrono::steady_clock::now();
      while (!parser.is_done()) {
        SetDeadline(begun + kBodyGrace + seconds(parser.get().body().size() / kBodyPerSecond));
        co_await http::async_read_some(socket_, buffer_, parser, To(error));
        if (!error) continue;
        if (late_) co_return co_await Refuse(408, "the body of this request comes too slowly");
        if (error == http::error::body_limit) co_return co_await Refuse(413, TooLarge());
        if (error == http::error::buffer_overflow || IsUnreadable(error)) {
          co_return co_await Refuse(400, fmt::format("the body is not framed as HTTP wants it: {}", error.message()));
        }
        co_return false;
      }
    }
    ClearDeadline();
    if (buffer_.size() == 0) buffer_.shrink_to_fit();
    request.body = std::move(parser.get().body());
    if (*decoder) {
      std::string decoded;
      std::string_view rest = request.body;
      absl::Status status;
      do {
        status = (*decoder)->Feed(&rest, &decoded);
        if (!status.ok()) break;
        if (decoded.size() > bounds_.body_bytes) co_return co_await Refuse(413, TooLarge());
        // Others have their turn between the pieces of a large body.
        co_await asio::post(socket_.get_executor(), asio::use_awaitable);
      } while (!rest.empty() || (*decoder)->pending());
      if (status.ok()) status = (*decoder)->Finish();
      if (!status.ok()) co_return co_await Refuse(400, std::string(status.message()));
      request.body = std::move(decoded);
      request.body.shrink_to_fit();
    }
    if (*handler_ == nullptr) co_return false;
    auto reply = std::make_shared<Reply>(self, head_only_, chunked_, keep_alive_);
    (*handler_)->Serve(std::move(request), reply);
    co_await AwaitEnd(reply);
    co_return reply->keep_alive() && !broken_;
  }

  // Until the answer has gone out, or the client has.
  asio::awaitable<void> AwaitEnd(std::shared_ptr<Reply> reply) {
    while (!reply->finished() && !broken_) {
      error_code error;
      if (input_ended_ || buffer_.size() >= kMostPipelined) {
        wake_.expires_at(std::chrono::steady_clock::time_point::max());
        co_await wake_.async_wait(To(error));
        continue;
      }
      co_await socket_.async_wait(tcp::socket::wait_read, To(error));
      if (reply->finished() || broken_) break;
      if (error) continue;
      const size_t read = socket_.read_some(buffer_.prepare(1024), error);
      if (error == asio::error::would_block) continue;
      if (!error) {
        buffer_.commit(read);
      } else if (error == asio::error::eof && buffer_.size() > 0) {
        // It has said all that it wanted to, and waits for the answers.
        input_ended_ = true;
      } else {
        break;
      }
    }
    if (!reply->finished()) {
      broken_ = true;
      reply->OnGone();
    }
  }

  asio::awaitable<bool> Refuse(unsigned status, std::string message) {
    if (*handler_ == nullptr) co_return false;
    co_return co_await Answer((*handler_)->Complain(status, message), false);
  }

  // An answer of the server's own. `body_read`: the request is over, so that another may follow.
  asio::awaitable<bool> Answer(HttpAnswer answer, bool body_read) {
    ClearDeadline();
    auto reply = std::make_shared<Reply>(shared_from_this(), head_only_, chunked_, keep_alive_ && body_read);
    reply->Send(std::move(answer));
    error_code error;
    while (!reply->finished() && !broken_) {
      wake_.expires_at(std::chrono::steady_clock::time_point::max());
      co_await wake_.async_wait(To(error));
    }
    if (broken_) co_return false;
    if (reply->keep_alive()) co_return true;
    // What the client is still sending is taken for a while: closing now would take the answer from it.
    socket_.shutdown(tcp::socket::shutdown_send, error);
    SetDeadline(kLinger);
    std::array<char, 4096> dropped;
    for (size_t taken = 0; taken < kLingerBytes && !error;) {
      taken += co_await socket_.async_read_some(asio::buffer(dropped), To(error));
    }
    co_return false;
  }

  HttpRequest RequestOf(const http::request<http::string_body>& message) const {
    HttpRequest request;
    request.method = View(message.method_string());
    const std::string_view target = View(message.target());
    const size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string_view::npos) request.query = target.substr(question + 1);
    for (const auto& field : message)
      request.headers.emplace_back(Lower(View(field.name_string())), View(field.value()));
    request.connection = number_;
    return request;
  }

  // What one reader could take for one request, and another for another one.
  static std::string WrongWithHead(const http::request<http::string_body>& message, const HttpRequest& request) {
    for (const std::string_view once :
         {"host", "content-length", "transfer-encoding", "authorization", "content-type", "content-encoding"}) {
      const auto times =
          std::ranges::count_if(request.headers, [&](const auto& header) { return header.first == once; });
      if (times > 1) return fmt::format("{}: is there twice", once);
    }
    const std::string_view coding = request.Header("transfer-encoding");
    if (!coding.empty() && (message.version() < 11 || Lower(coding) != "chunked")) {
      return "transfer-encoding: only chunked is known here, in HTTP/1.1";
    }
    return "";
  }

  std::string TooLarge() const {
    return fmt::format("the body is larger than {} bytes, the frontdoor.max_body of this server", bounds_.body_bytes);
  }

  tcp::socket socket_;
  std::shared_ptr<HttpHandler*> handler_;
  const HttpBounds bounds_;
  std::function<void()> on_closed_;
  boost::beast::flat_buffer buffer_{kMostBuffered};
  asio::steady_timer clock_;  // of reads
  asio::steady_timer stuck_;  // of writes
  asio::steady_timer wake_;
  const uint64_t number_ = NextConnectionNumber();
  uint64_t deadline_ = 0;
  bool late_ = false;
  bool broken_ = false;
  bool input_ended_ = false;  // after requests that have not been answered yet
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool chunked_ = true;
};

void Reply::Pump() {
  if (writing_ || gone_) return;
  if (pieces_.empty()) {
    if (ended_) connection_->Wake();
    return;
  }
  writing_ = true;
  const auto now = std::chrono::steady_clock::now();
  const auto stuck = now + connection_->bounds().stuck;
  if (ended_ && !deadline_) deadline_ = stuck + seconds(unsent_ / kBodyPerSecond);
  connection_->WatchWrite(deadline_ ? std::min(*deadline_, stuck) : stuck);
  const std::string& piece = pieces_.front();
  connection_->socket().async_write_some(
      asio::buffer(piece.data() + written_, piece.size() - written_),
      [self = shared_from_this()](const error_code& error, size_t bytes) { self->OnWritten(error, bytes); });
}

void Reply::OnWritten(const error_code& error, size_t bytes) {
  writing_ = false;
  if (gone_) {
    pieces_.clear();
    return;
  }
  if (error) {
    connection_->Break();
    return;
  }
  connection_->WriteDone();
  const bool was_above = unsent_ > low_;
  written_ += bytes;
  unsent_ -= bytes;
  if (written_ == pieces_.front().size()) {
    pieces_.pop_front();
    written_ = 0;
  }
  Pump();
  if (was_above && unsent_ <= low_ && !ended_ && on_drained_) on_drained_();
}

void Reply::Cut() {
  keep_alive_ = false;
  connection_->Break();
}

}  // namespace

void ServeHttpConnection(tcp::socket socket, std::shared_ptr<HttpHandler*> handler, const HttpBounds& bounds,
                         std::function<void()> on_closed) {
  const auto executor = socket.get_executor();
  auto connection = std::make_shared<Connection>(std::move(socket), std::move(handler), bounds, std::move(on_closed));
  asio::co_spawn(executor, connection->Run(connection), asio::detached);
}

}  // namespace holdfast
