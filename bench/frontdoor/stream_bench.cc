// Streams through the front door, or directly: how much later each event comes, how many come, and what many streams
// that wait cost. It is its own upstream, on a thread of its own. One line on standard output: name=value …
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/frontdoor/stream_upstream.h"
#include "common/base/descriptor_limit.h"

namespace holdfast::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::seconds;

struct Seen {
  std::vector<int64_t> delays;  // ns, of each event
  int64_t keepalives = 0;
  int64_t dropped = 0;  // connections that ended by themselves
  int64_t began = 0;    // answers
};

// One stream.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(asio::io_context& context, Seen& seen) : socket_(context), seen_(seen) {}

  void Start(const tcp::endpoint& target, const std::string& request) {
    socket_.async_connect(target, [self = shared_from_this(), &request](const error_code& error) {
      if (error) return self->Drop();
      asio::async_write(self->socket_, asio::buffer(request), [self](const error_code& failed, size_t) {
        if (failed) return self->Drop();
        self->Read();
      });
    });
  }

 private:
  void Drop() { ++seen_.dropped; }

  void Read() {
    socket_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](const error_code& error, size_t count) {
      if (error) return self->Drop();
      self->Take({self->bytes_.data(), count});
      self->Read();
    });
  }

  void Take(std::string_view bytes) {
    const int64_t now = NowNs();
    if (!std::exchange(began_, true)) ++seen_.began;
    text_.append(bytes);
    size_t done = 0;
    for (size_t end; (end = text_.find('\n', done)) != std::string::npos; done = end + 1) {
      const std::string_view line = std::string_view(text_).substr(done, end - done);
      if (line.starts_with(": keep-alive")) ++seen_.keepalives;
      const size_t mark = line.find("\"t\":");
      if (mark == std::string_view::npos) continue;
      int64_t written = 0;
      std::from_chars(line.data() + mark + 4, line.data() + line.size(), written);
      seen_.delays.push_back(now - written);
    }
    text_.erase(0, done);
  }

  tcp::socket socket_;
  Seen& seen_;
  bool began_ = false;
  std::array<char, 4096> bytes_;
  std::string text_;
};

struct Options {
  uint16_t target = 0;
  uint16_t upstream = 0;
  int streams = 1;
  double rate = 20;
  int seconds = 5;
  int body = 0;
  bool wait = false;
};

std::string RequestOf(const Options& options) {
  const std::string body =
      fmt::format(R"({{"model":"gpt-4o","stream":true,"messages":[{{"role":"user","content":"{}"}}]}})",
                  std::string(static_cast<size_t>(options.body) * 1024, 'x'));
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

int64_t Percentile(const std::vector<int64_t>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

void Run(const Options& options) {
  const auto end = std::chrono::steady_clock::now() + seconds(options.seconds);
  asio::io_context upstream_context(1);
  StreamUpstream upstream(upstream_context, {options.upstream, options.rate, options.wait, end});
  std::thread upstream_thread([&] { upstream_context.run(); });

  asio::io_context context(1);
  Seen seen;
  const std::string request = RequestOf(options);
  const tcp::endpoint target(asio::ip::make_address("127.0.0.1"), options.target);
  // Not all at once: it is not the backlog of a listener that is measured.
  constexpr int kAtOnce = 50;
  int started = 0;
  asio::steady_timer timer(context);
  std::function<void()> start = [&] {
    for (int i = 0; i < kAtOnce && started < options.streams; ++i, ++started) {
      std::make_shared<Client>(context, seen)->Start(target, request);
    }
    if (started == options.streams) {
      fmt::print("OPEN\n");
      std::fflush(stdout);
      return;
    }
    timer.expires_after(std::chrono::milliseconds(10));
    timer.async_wait([&](const error_code&) { start(); });
  };
  start();
  context.run_until(end + std::chrono::milliseconds(500));

  std::ranges::sort(seen.delays);
  fmt::print("events={} rate={:.0f} p50={:.1f} p99={:.1f} keepalives={} dropped={} began={}\n", seen.delays.size(),
             static_cast<double>(seen.delays.size()) / options.seconds,
             static_cast<double>(Percentile(seen.delays, 0.5)) / 1000,
             static_cast<double>(Percentile(seen.delays, 0.99)) / 1000, seen.keepalives, seen.dropped, seen.began);
  upstream_context.stop();
  upstream_thread.join();
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  holdfast::RaiseDescriptorLimit();
  holdfast::bench::Options options;
  CLI::App app("Streams of events through a gateway, or directly", "stream_bench");
  app.add_option("--target", options.target, "The port of 127.0.0.1 to ask")->required();
  app.add_option("--upstream", options.upstream, "The port to be the upstream at")->required();
  app.add_option("--streams", options.streams, "How many at once");
  app.add_option("--rate", options.rate, "Events a second of each; 0: as fast as they go");
  app.add_option("--seconds", options.seconds, "How long");
  app.add_option("--body", options.body, "KiB of each request");
  app.add_flag("--wait", options.wait, "The upstream refuses all: they wait");
  CLI11_PARSE(app, argc, argv);
  holdfast::bench::Run(options);
  return 0;
}
