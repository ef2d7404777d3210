#include "bench/frontdoor/stream_upstream.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <memory>
#include <random>
#include <string>
#include <utility>

namespace holdfast::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

std::string Chunk(const std::string& text) { return fmt::format("{:x}\r\n{}\r\n", text.size(), text); }

}  // namespace

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// One connection: one request, one answer, and again.
class StreamUpstream::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Options& options)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), options_(options) {
    socket_.set_option(tcp::no_delay(true));
  }

  void Read() {
    socket_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](const error_code& error, size_t count) {
      if (error) return;
      self->input_.append(self->bytes_.data(), count);
      if (self->TakeRequest()) {
        self->Answer();
      } else {
        self->Read();
      }
    });
  }

 private:
  bool TakeRequest() {
    const size_t head = input_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    size_t length = 0;
    const size_t field = input_.find("Content-Length: ");
    if (field < head) std::from_chars(input_.data() + field + 16, input_.data() + head, length);
    if (input_.size() < head + 4 + length) return false;
    input_.clear();
    return true;
  }

  void Answer() {
    if (options_.refuse) {
      const std::string body = R"({"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}})";
      Write(fmt::format("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1800\r\nContent-Type: application/json\r\n"
                        "Content-Length: {}\r\n\r\n{}",
                        body.size(), body),
            &Session::Read);
      return;
    }
    Write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", &Session::Next);
    // So that not all streams speak at the same moment.
    if (options_.rate > 0) {
      std::uniform_real_distribution<double> phase(0, 1 / options_.rate);
      next_ = std::chrono::steady_clock::now() + Seconds(phase(Random()));
    }
  }

  static std::mt19937& Random() {
    static std::mt19937 random(7);
    return random;
  }
  static std::chrono::steady_clock::duration Seconds(double seconds) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
  }

  void Next() {
    if (std::chrono::steady_clock::now() >= options_.end) {
      Write(Chunk("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n") +
                Chunk("data: [DONE]\n\n") + "0\r\n\r\n",
            &Session::Read);
      return;
    }
    if (options_.rate == 0) return Say();
    timer_.expires_at(next_);
    next_ += Seconds(1 / options_.rate);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->Say();
    });
  }

  void Say() {
    Write(Chunk(fmt::format(R"(data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o",)"
                            R"("choices":[{{"index":0,"delta":{{"content":" word"}},"finish_reason":null}}],"t":{}}})"
                            "\n\n",
                            NowNs())),
          &Session::Next);
  }

  void Write(std::string text, void (Session::*then)()) {
    output_ = std::move(text);
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this(), then](const error_code& error, size_t) {
                        if (!error) (self.get()->*then)();
                      });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  const Options options_;
  std::array<char, 65536> bytes_;
  std::string input_;
  std::string output_;
  std::chrono::steady_clock::time_point next_;
};

StreamUpstream::StreamUpstream(asio::io_context& context, Options options)
    : context_(context), options_(options), acceptor_(context, {asio::ip::make_address("127.0.0.1"), options.port}) {
  acceptor_.listen(4096);
  Accept();
}

void StreamUpstream::Accept() {
  acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
    if (error) return;
    std::make_shared<Session>(std::move(socket), options_)->Read();
    Accept();
  });
}

}  // namespace holdfast::bench
