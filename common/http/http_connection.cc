#include "common/http/http_connection.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <chrono>
#include <optional>
#include <vector>

#include "common/http/content_decoder.h"
#include "common/http/reply_writer.h"
#include "common/http/request_parser.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr auto kIdleTime = seconds(120);   // between two requests
constexpr auto kHeadTime = seconds(15);    // from a request's first byte to the end of its headers
constexpr auto kBodyGrace = seconds(30);   // for a body, and
constexpr size_t kBodyPerSecond = 16'384;  // a second more for each so many bytes of it
constexpr auto kLinger = seconds(2);       // for a client to take an answer that it did not expect
constexpr size_t kLingerBytes = size_t{256} << 10;
constexpr uint32_t kMostHeaderBytes = 32 * 1024;
// Of a request that is not whole: a line, or trailers, of which there is no end.
constexpr size_t kMostUnparsed = 64 * 1024;
// What is read at once. The short read is what waits for a request, so each connection has its room; the long one goes
// on from there, into a buffer that all share. Others have their turn after so many of those.
constexpr size_t kShortRead = 1024;
constexpr size_t kLongRead = size_t{64} << 10;
constexpr int kMostLongReads = 8;
// What the system takes of an answer ahead of its client; the rest waits here, where it is bounded.
constexpr int kSendBuffer = 256 * 1024;
constexpr size_t kMostPipelined = 16 * 1024;  // read ahead while an answer is under way

uint64_t NextConnectionNumber() {
  static std::atomic<uint64_t> number = 0;
  return ++number;
}

// Reads one request after the other, has each answered, and notices when its client goes. A read is always pending but
// while enough has been read ahead.
class Connection final : public ReplyConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<HttpHandler*> handler, const HttpBounds& bounds,
             std::function<void()> on_closed)
      : socket_(std::move(socket)),
        handler_(std::move(handler)),
        bounds_(bounds),
        on_closed_(std::move(on_closed)),
        clock_(socket_.get_executor()),
        stuck_(socket_.get_executor()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(tcp::socket::send_buffer_size(kSendBuffer), ignored);
    socket_.non_blocking(true, ignored);
  }

  ~Connection() override {
    if (step_ != Step::kClosed) on_closed_();
  }

  void Start() {
    NextRequest();
    Read();
  }

  void WatchWrite(steady_clock::time_point deadline) override {
    stuck_.expires_at(deadline);
    stuck_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (!error && self) self->Break();
    });
  }
  void WriteDone() override { stuck_.cancel(); }

  void Break() override {
    if (step_ == Step::kClosed) return;
    error_code ignored;
    socket_.set_option(tcp::socket::linger(true, 0), ignored);
    Close();
  }

  void OnAnswered(bool keep_alive) override {
    const bool own = step_ == Step::kRefusing;
    if (step_ != Step::kServing && !own) return;
    reply_.reset();
    if (keep_alive && !(input_ended_ && rest_.empty() && !parsing_)) {
      NextRequest();
      if (parsing_) return;
      if (rest_.empty()) {
        Read();
      } else {
        going_on_ = true;
        asio::post(socket_.get_executor(), [self = shared_from_this()] { self->GoOn(); });
      }
      return;
    }
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    if (!own) {
      Close();
      return;
    }
    // What the client is still sending is taken for a while: closing now would take the answer from it.
    step_ = Step::kLingering;
    SetDeadline(steady_clock::now() + kLinger);
    Read();
  }

 private:
  enum class Step { kHead, kBody, kDecoding, kServing, kRefusing, kLingering, kClosed };

  void NextRequest() {
    step_ = Step::kHead;
    begun_ = false;
    keep_alive_ = false;
    head_only_ = false;
    request_ = HttpRequest();
    request_.connection = number_;
    parser_.emplace(&request_, kMostHeaderBytes, bounds_.body_bytes);
    SetDeadline(steady_clock::now() + kIdleTime);
  }

  void Close() {
    if (step_ == Step::kClosed) return;
    step_ = Step::kClosed;
    error_code ignored;
    clock_.cancel();
    stuck_.cancel();
    socket_.close(ignored);
    on_closed_();
    // Whoever answers may be on the stack.
    if (reply_) {
      asio::post(socket_.get_executor(), [reply = std::move(reply_)] { reply->OnGone(); });
      reply_.reset();
    }
  }

  // The timer is not set anew for each deadline; it looks at the latest one when it rings.
  void SetDeadline(steady_clock::time_point when) {
    deadline_ = when;
    if (when < rings_at_) ArmClock();
  }
  void ClearDeadline() { deadline_ = steady_clock::time_point::max(); }

  void ArmClock() {
    rings_at_ = deadline_;
    clock_.expires_at(rings_at_);
    clock_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (!error && self) self->OnClock();
    });
  }

  void OnClock() {
    rings_at_ = steady_clock::time_point::max();
    if (step_ == Step::kClosed || deadline_ == steady_clock::time_point::max()) return;
    if (steady_clock::now() < deadline_) {
      ArmClock();
    } else if (step_ == Step::kHead && begun_) {
      Refuse(408, "the headers of this request did not come within 15s");
    } else if (step_ == Step::kBody) {
      Refuse(408, "the body of this request comes too slowly");
    } else {
      Close();
    }
  }

  bool WantsInput() const {
    switch (step_) {
      case Step::kHead:
      case Step::kBody:
        return !input_ended_;
      case Step::kDecoding:
      case Step::kServing:
        return !input_ended_ && rest_.size() < kMostPipelined;
      case Step::kRefusing:
      case Step::kClosed:
        return false;
      case Step::kLingering:
        return true;
    }
    return false;
  }

  void Read() {
    if (reading_ || !WantsInput()) return;
    reading_ = true;
    socket_.async_read_some(
        asio::buffer(short_input_),
        [self = shared_from_this()](const error_code& error, size_t bytes) { self->OnRead(error, bytes); });
  }

  void OnRead(const error_code& error, size_t bytes) {
    thread_local std::vector<char> long_input(kLongRead);
    reading_ = false;
    if (step_ == Step::kClosed) return;
    if (error) {
      OnInputEnded(error);
      return;
    }
    OnInput({short_input_.data(), bytes});
    bool more = bytes == short_input_.size();
    for (int i = 0; more && i < kMostLongReads && (step_ == Step::kHead || step_ == Step::kBody); ++i) {
      error_code failed;
      const size_t read = socket_.read_some(asio::buffer(long_input), failed);
      if (failed == asio::error::would_block) break;
      if (failed) {
        OnInputEnded(failed);
        return;
      }
      OnInput({long_input.data(), read});
      more = read == long_input.size();
    }
    Read();
  }

  void OnInputEnded(const error_code& error) {
    // It has said all that it wanted to, and waits for the answers.
    const bool waits = error == asio::error::eof && !rest_.empty();
    if ((step_ == Step::kServing || step_ == Step::kDecoding || going_on_) && waits) {
      input_ended_ = true;
    } else if (step_ == Step::kRefusing) {
      // The answer goes out, if it can.
      input_ended_ = true;
    } else {
      Close();
    }
  }

  void OnInput(std::string_view bytes) {
    switch (step_) {
      case Step::kHead:
      case Step::kBody:
        Parse(bytes);
        return;
      case Step::kDecoding:
      case Step::kServing:
        rest_.append(bytes);
        return;
      case Step::kRefusing:
        if (refusal_keeps_) rest_.append(bytes);
        return;
      case Step::kLingering:
        lingered_ += bytes.size();
        if (lingered_ >= kLingerBytes) Close();
        return;
      case Step::kClosed:
        return;
    }
  }

  // What has been read ahead.
  void GoOn() {
    going_on_ = false;
    if (step_ != Step::kHead) return;
    if (!rest_.empty()) Parse({});
    // What the client has not sent of this request it will not send any more.
    if (input_ended_ && (step_ == Step::kHead || step_ == Step::kBody)) Close();
    Read();
  }

  void Parse(std::string_view bytes) {
    const bool joined = !rest_.empty();
    std::string whole;
    if (joined) {
      whole = std::move(rest_.append(bytes));
      rest_.clear();
      bytes = whole;
    }
    parsing_ = true;
    while (!bytes.empty() && (step_ == Step::kHead || step_ == Step::kBody)) {
      error_code error;
      bytes.remove_prefix(parser_->put(asio::buffer(bytes.data(), bytes.size()), error));
      if (error == http::error::need_more) {
        if (bytes.size() <= kMostUnparsed) break;
        error = http::error::buffer_overflow;
      }
      if (error) {
        RefuseUnreadable(error);
      } else if (step_ == Step::kHead && parser_->is_header_done()) {
        OnHead();
      } else if (step_ == Step::kBody && parser_->is_done()) {
        OnBody();
      }
    }
    parsing_ = false;
    if (step_ == Step::kClosed || step_ == Step::kLingering) return;
    if (step_ == Step::kRefusing && !refusal_keeps_) return;
    rest_.assign(bytes);
    if (step_ == Step::kHead && !begun_ && (parser_->got_some() || !rest_.empty())) {
      begun_ = true;
      SetDeadline(steady_clock::now() + kHeadTime);
    } else if (step_ == Step::kBody) {
      SetDeadline(body_begun_ + kBodyGrace + seconds(request_.body.size() / kBodyPerSecond));
    }
  }

  void RefuseUnreadable(const error_code& error) {
    const bool overflow = error == http::error::header_limit || error == http::error::buffer_overflow;
    if (error == http::error::body_limit) {
      Refuse(413, TooLarge());
    } else if (step_ == Step::kHead && overflow) {
      Refuse(431, fmt::format("the headers are larger than {} bytes", kMostHeaderBytes));
    } else if (step_ == Step::kHead) {
      Refuse(400, fmt::format("this is not an HTTP request: {}", error.message()));
    } else {
      Refuse(400, fmt::format("the body is not framed as HTTP wants it: {}", error.message()));
    }
  }

  void OnHead() {
    keep_alive_ = parser_->keep_alive();
    head_only_ = request_.method == "HEAD";
    chunked_ = parser_->version() >= 11;
    if (std::string wrong = WrongWithHead(parser_->version(), request_); !wrong.empty()) {
      Refuse(400, std::move(wrong));
      return;
    }
    if (*handler_ == nullptr) {
      Close();
      return;
    }
    if (auto answer = (*handler_)->Refuse(request_)) {
      Answer(*std::move(answer), parser_->is_done());
      return;
    }
    auto decoder = ContentDecoder::Make(request_.Header("content-encoding"));
    if (!decoder.ok()) {
      Refuse(415, std::string(decoder.status().message()));
      return;
    }
    decoder_ = *std::move(decoder);
    step_ = Step::kBody;
    if (parser_->is_done()) {
      OnBody();
      return;
    }
    if (const std::string_view expect = request_.Header("expect"); !expect.empty()) {
      if (!boost::beast::iequals({expect.data(), expect.size()}, "100-continue")) {
        Refuse(417, "expect: only 100-continue is known here");
        return;
      }
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      error_code error;
      // All of it, as nothing else is being sent.
      if (socket_.write_some(asio::buffer(kContinue), error) != kContinue.size()) {
        Close();
        return;
      }
    }
    body_begun_ = steady_clock::now();
  }

  void OnBody() {
    ClearDeadline();
    if (!decoder_) {
      Serve();
      return;
    }
    step_ = Step::kDecoding;
    decoded_.clear();
    encoded_ = request_.body;
    Decode();
  }

  // Others have their turn between the pieces of a large body.
  void Decode() {
    if (step_ != Step::kDecoding) return;
    absl::Status status = decoder_->Feed(&encoded_, &decoded_);
    if (status.ok() && decoded_.size() > bounds_.body_bytes) {
      Refuse(413, TooLarge());
      return;
    }
    if (status.ok() && (!encoded_.empty() || decoder_->pending())) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] { self->Decode(); });
      return;
    }
    if (status.ok()) status = decoder_->Finish();
    decoder_.reset();
    if (!status.ok()) {
      Refuse(400, std::string(status.message()));
      return;
    }
    request_.body = std::move(decoded_);
    request_.body.shrink_to_fit();
    Serve();
  }

  void Serve() {
    if (*handler_ == nullptr) {
      Close();
      return;
    }
    step_ = Step::kServing;
    reply_ = NewReply(keep_alive_);
    (*handler_)->Serve(std::move(request_), reply_);
  }

  std::shared_ptr<ReplyWriter> NewReply(bool keep_alive) {
    return std::make_shared<ReplyWriter>(shared_from_this(), socket_, bounds_.stuck,
                                         ReplyFraming{head_only_, chunked_, keep_alive});
  }

  void Refuse(unsigned status, std::string message) {
    if (*handler_ == nullptr) {
      Close();
      return;
    }
    Answer((*handler_)->Complain(status, message), false);
  }

  // An answer of the server's own. `body_read`: the request is over, so that another may follow.
  void Answer(HttpAnswer answer, bool body_read) {
    ClearDeadline();
    step_ = Step::kRefusing;
    refusal_keeps_ = keep_alive_ && body_read;
    reply_ = NewReply(refusal_keeps_);
    const auto reply = reply_;
    reply->Send(std::move(answer));
  }

  std::string TooLarge() const {
    return fmt::format("the body is larger than {} bytes, the frontdoor.max_body of this server", bounds_.body_bytes);
  }

  tcp::socket socket_;
  std::shared_ptr<HttpHandler*> handler_;
  const HttpBounds bounds_;
  std::function<void()> on_closed_;
  asio::steady_timer clock_;  // of reads
  asio::steady_timer stuck_;  // of writes
  steady_clock::time_point deadline_ = steady_clock::time_point::max();
  steady_clock::time_point rings_at_ = steady_clock::time_point::max();  // of clock_; max: it is not armed
  const uint64_t number_ = NextConnectionNumber();
  Step step_ = Step::kHead;
  bool reading_ = false;
  bool parsing_ = false;
  bool going_on_ = false;     // with what has been read ahead, soon
  bool begun_ = false;        // of a request's head, something has come
  bool input_ended_ = false;  // after requests that have not been answered yet
  bool keep_alive_ = false;
  bool refusal_keeps_ = false;  // what comes behind the refused request is another one
  bool head_only_ = false;
  bool chunked_ = true;
  HttpRequest request_;
  std::optional<RequestParser> parser_;
  steady_clock::time_point body_begun_;
  std::unique_ptr<ContentDecoder> decoder_;
  std::string_view encoded_;  // of request_.body, what is still to be decoded
  std::string decoded_;
  std::string rest_;  // has come, and is part of nothing yet
  size_t lingered_ = 0;
  std::shared_ptr<ReplyWriter> reply_;  // to the request that is served
  std::array<char, kShortRead> short_input_;
};

}  // namespace

void ServeHttpConnection(tcp::socket socket, std::shared_ptr<HttpHandler*> handler, const HttpBounds& bounds,
                         std::function<void()> on_closed) {
  std::make_shared<Connection>(std::move(socket), std::move(handler), bounds, std::move(on_closed))->Start();
}

}  // namespace holdfast
