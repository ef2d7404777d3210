// What every implementation of UpstreamClient does alike.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "quota_service/upstream/answer_bounds.h"
#include "quota_service/upstream/curl_client.h"
#include "quota_service/upstream/http_client.h"
#include "tests/quota_service/upstream/client_test_base.h"
#include "tests/quota_service/upstream/recording_listener.h"
#include "tests/quota_service/upstream/scripted_server.h"

namespace holdfast::quota {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kStreamHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string Chunk(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

std::string Answer(const std::string& body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

enum class Kind { kCurl, kPlain };

std::unique_ptr<UpstreamClient> NewClient(Kind kind, boost::asio::io_context& context) {
  const CurlClientOptions options{.user_agent = "holdfast/test"};
  if (kind == Kind::kCurl) return std::make_unique<CurlClient>(context, options);
  return std::make_unique<HttpClient>(context, options);
}

class UpstreamClientTest : public ClientTestBase, public testing::WithParamInterface<Kind> {
 protected:
  ~UpstreamClientTest() override { EXPECT_FALSE(listener_.out_of_order); }

  void RunUntilDone() {
    RunUntil([this] { return listener_.done.has_value(); });
  }

  struct Answered {
    RecordingListener heard;
    bool sent = false;
  };
  // One request from its beginning to its end.
  Answered Ask(UpstreamRequest request) {
    Answered answered;
    const auto exchange = client_.Start(std::move(request), &answered.heard);
    RunUntil([&] { return answered.heard.done.has_value(); });
    EXPECT_FALSE(answered.heard.out_of_order);
    answered.sent = exchange->sent();
    return answered;
  }

  ScriptedServer server_{context_};
  const std::unique_ptr<UpstreamClient> owned_client_ = NewClient(GetParam(), context_);
  UpstreamClient& client_ = *owned_client_;
  RecordingListener listener_;
  std::unique_ptr<UpstreamExchange> exchange_;
};

TEST_P(UpstreamClientTest, SendsTheRequestAsItIsAndNothingElse) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  exchange_ = client_.Start(Post(server_.Url("/v1/x?y=z"), "{\"a\":1}"), &listener_);
  RunUntilDone();
  EXPECT_EQ(server_.requests().at(0),
            fmt::format(
                "POST /v1/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: holdfast/test\r\nAccept: */*\r\n"
                "content-type: application/json\r\nauthorization: Bearer sk-very-secret\r\nContent-Length: 7\r\n\r\n{}",
                server_.port(), "{\"a\":1}"));
  EXPECT_EQ(*listener_.done, absl::OkStatus());
  EXPECT_EQ(listener_.body, "ok");
}

TEST_P(UpstreamClientTest, SendsALargeBodyWithoutAskingFirst) {
  const std::string body(5'000'000, 'x');
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  exchange_ = client_.Start(Post(server_.Url(), body), &listener_);
  RunUntilDone();
  EXPECT_EQ(server_.requests().at(0).substr(server_.requests().at(0).find("\r\n\r\n") + 4), body);
  EXPECT_THAT(server_.requests().at(0).substr(0, 400), Not(HasSubstr("Expect")));
}

TEST_P(UpstreamClientTest, SendsAGetWithoutABody) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("models")); };
  UpstreamRequest request;
  request.method = "GET";
  request.url = server_.Url("/v1/models");
  exchange_ = client_.Start(std::move(request), &listener_);
  RunUntilDone();
  EXPECT_THAT(server_.requests().at(0), StartsWith("GET /v1/models HTTP/1.1\r\n"));
  EXPECT_THAT(server_.requests().at(0), Not(HasSubstr("Content-")));
}

TEST_P(UpstreamClientTest, CallsNothingFromInsideStart) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  EXPECT_FALSE(listener_.status || listener_.done);
  RecordingListener of_nonsense;
  const auto nonsense = client_.Start(Post("not a URL"), &of_nonsense);
  EXPECT_FALSE(of_nonsense.done);
  RunUntilDone();
}

TEST_P(UpstreamClientTest, PassesAStreamOnPieceByPiece) {
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return server_.requests().size() == 1; });
  server_.connection().Send(kStreamHead);
  RunUntil([this] { return listener_.status.has_value(); });
  EXPECT_EQ(listener_.status, 200);
  EXPECT_EQ(listener_.Header("content-type"), "text/event-stream");
  std::string expected;
  for (const std::string piece : {"data: one\n\n", "data: two\n\n", "data: three\n\n"}) {
    server_.connection().Send(Chunk(piece));
    expected += piece;
    RunUntil([&] { return listener_.body == expected; });
    EXPECT_FALSE(listener_.done);
  }
  server_.connection().Send("0\r\n\r\n");
  RunUntilDone();
  EXPECT_EQ(*listener_.done, absl::OkStatus());
}

TEST_P(UpstreamClientTest, RestsWhileTheServerIsSilent) {
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return server_.requests().size() == 1; });
  server_.connection().Send(kStreamHead + Chunk("data: one\n\n"));
  RunUntil([this] { return !listener_.body.empty(); });
  size_t handlers = 0;
  context_.restart();
  while (handlers < 1'000 && context_.poll_one() > 0) ++handlers;
  EXPECT_LT(handlers, 10u);
}

TEST_P(UpstreamClientTest, PassesAMegabyteOnUnchanged) {
  std::string body;
  for (int i = 0; body.size() < 1'000'000; ++i) body += fmt::format("{} ", i);
  server_.on_request = [&](auto& connection) { connection.Send(Answer(body)); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(listener_.body, body);
}

TEST_P(UpstreamClientTest, HoldsAServerUpWhileItIsPaused) {
  std::string body;
  for (int i = 0; body.size() < 40'000'000; ++i) body += fmt::format("{} ", i);
  server_.on_request = [&](auto& connection) { connection.Send(Answer(body)); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return !listener_.body.empty(); });
  exchange_->SetPaused(true);
  RunReady();
  const size_t taken = listener_.body.size();
  EXPECT_LT(taken, body.size() / 2);
  RecordingListener other;
  ScriptedServer other_server(context_);
  other_server.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  const auto beside = client_.Start(Post(other_server.Url()), &other);
  RunUntil([&] { return other.done.has_value(); });
  RunReady();
  EXPECT_EQ(listener_.body.size(), taken) << "others go on, it does not";
  exchange_->SetPaused(false);
  RunUntilDone();
  EXPECT_EQ(listener_.body, body);
}

TEST_P(UpstreamClientTest, AnExchangeMayBeGivenUpWhileItIsPaused) {
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return server_.requests().size() == 1; });
  server_.connection().Send(kStreamHead + Chunk("data: one\n\n"));
  RunUntil([this] { return !listener_.body.empty(); });
  exchange_->SetPaused(true);
  server_.connection().Send(Chunk("data: two\n\n"));
  RunReady();
  exchange_.reset();
  RunReady();
  EXPECT_EQ(listener_.body, "data: one\n\n");
}

TEST_P(UpstreamClientTest, RunsExchangesSideBySide) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  std::vector<RecordingListener> listeners(20);
  std::vector<std::unique_ptr<UpstreamExchange>> exchanges;
  for (auto& listener : listeners) exchanges.push_back(client_.Start(Post(server_.Url()), &listener));
  for (const auto& listener : listeners) {
    RunUntil([&] { return listener.done.has_value(); });
    EXPECT_EQ(*listener.done, absl::OkStatus());
    EXPECT_EQ(listener.body, "ok");
  }
}

TEST_P(UpstreamClientTest, ReusesTheConnection) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  for (int i = 0; i < 5; ++i) {
    const Answered answered = Ask(Post(server_.Url()));
    EXPECT_EQ(*answered.heard.done, absl::OkStatus());
  }
  EXPECT_EQ(server_.requests().size(), 5u);
  EXPECT_EQ(server_.accepted(), 1);
}

TEST_P(UpstreamClientTest, OpensAnotherConnectionWhereTheServerHasClosedTheOld) {
  server_.on_request = [](auto& connection) {
    connection.Send(Answer("ok"));
    connection.Close();
  };
  for (int i = 0; i < 3; ++i) {
    const Answered answered = Ask(Post(server_.Url()));
    EXPECT_EQ(*answered.heard.done, absl::OkStatus());
    RunReady();
  }
  EXPECT_EQ(server_.accepted(), 3);
}

TEST_P(UpstreamClientTest, SendsAgainWhereAReusedConnectionBreaksBeforeAnyAnswer) {
  server_.on_request = [this](auto& connection) {
    if (server_.requests().size() == 2) {
      connection.Reset();
    } else {
      connection.Send(Answer("ok"));
    }
  };
  for (const std::string body : {"first", "second"}) {
    const Answered answered = Ask(Post(server_.Url(), body));
    EXPECT_EQ(*answered.heard.done, absl::OkStatus());
    EXPECT_EQ(answered.heard.body, "ok");
    EXPECT_TRUE(answered.sent);
  }
  EXPECT_EQ(server_.accepted(), 2);
  ASSERT_EQ(server_.requests().size(), 3u);
  EXPECT_EQ(server_.requests()[1], server_.requests()[2]);
}

TEST_P(UpstreamClientTest, DoesNotSendAgainOnceAnAnswerHasBegun) {
  server_.on_request = [this](auto& connection) {
    if (server_.requests().size() == 2) {
      connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      connection.Close();
    } else {
      connection.Send(Answer("ok"));
    }
  };
  Ask(Post(server_.Url()));
  const Answered second = Ask(Post(server_.Url()));
  EXPECT_TRUE(absl::IsUnavailable(*second.heard.done)) << *second.heard.done;
  EXPECT_EQ(server_.requests().size(), 2u);
}

TEST_P(UpstreamClientTest, TakesAnAnswerThatEndsWithItsConnection) {
  server_.on_request = [](auto& connection) {
    connection.Send("HTTP/1.0 200 OK\r\n\r\nall there is");
    connection.Close();
  };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(*listener_.done, absl::OkStatus());
  EXPECT_EQ(listener_.body, "all there is");
}

TEST_P(UpstreamClientTest, DoesNotReuseAConnectionOnWhichMoreCameThanWasAsked) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok") + Answer("of nobody")); };
  for (int i = 0; i < 2; ++i) {
    const Answered answered = Ask(Post(server_.Url()));
    EXPECT_EQ(*answered.heard.done, absl::OkStatus());
    EXPECT_EQ(answered.heard.body, "ok");
  }
  EXPECT_EQ(server_.accepted(), 2);
}

TEST_P(UpstreamClientTest, APauseThatEndsInsideOnBodyChangesNothing) {
  std::string answer = kStreamHead;
  std::string body;
  for (int i = 0; body.size() < 100'000; ++i) {
    body += fmt::format("data: {}\n\n", i);
    answer += Chunk(fmt::format("data: {}\n\n", i));
  }
  server_.on_request = [&](auto& connection) { connection.Send(answer + "0\r\n\r\n"); };
  listener_.on_body = [this] {
    exchange_->SetPaused(true);
    exchange_->SetPaused(false);
  };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(*listener_.done, absl::OkStatus());
  EXPECT_EQ(listener_.body, body);
}

TEST_P(UpstreamClientTest, GivesUpConnectingInTime) {
  using boost::asio::ip::tcp;
  // Its queue is full, so that the system answers nobody any more.
  tcp::acceptor full(context_);
  full.open(tcp::v4());
  full.bind({boost::asio::ip::address_v4::loopback(), 0});
  full.listen(0);
  std::vector<tcp::socket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(context_).async_connect(full.local_endpoint(), [](const boost::system::error_code&) {});
  }
  RunReady();
  UpstreamRequest request = Post(fmt::format("http://127.0.0.1:{}/v1", full.local_endpoint().port()));
  request.connect_timeout = std::chrono::milliseconds(50);
  exchange_ = client_.Start(std::move(request), &listener_);
  RunUntilDone();
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
  EXPECT_FALSE(exchange_->sent());
}

TEST_P(UpstreamClientTest, SocketsOfResolvingAndOfClosedConnectionsAreNotMistakenForNewOnes) {
  // Their numbers are used again at once: by the next resolver's pipe, and by the next connection.
  server_.on_request = [](auto& connection) {
    connection.Send(Answer("ok"));
    connection.Close();
  };
  const std::string url = fmt::format("http://localhost:{}/v1", server_.port());
  for (int i = 0; i < 10; ++i) {
    RecordingListener listener;
    const auto fresh = NewClient(GetParam(), context_);
    for (UpstreamClient* client : {&client_, fresh.get()}) {
      listener = {};
      const auto exchange = client->Start(Post(i % 2 == 0 ? url : server_.Url()), &listener);
      RunUntil([&] { return listener.done.has_value(); });
      EXPECT_EQ(*listener.done, absl::OkStatus()) << i;
      EXPECT_EQ(listener.body, "ok") << i;
    }
  }
}

TEST_P(UpstreamClientTest, ReportsAnErrorStatusWithItsBodyAsAnAnswer) {
  server_.on_request = [](auto& connection) {
    connection.Send("HTTP/1.1 429 Too Many Requests\r\nRetry-After-Ms: 3646\r\nContent-Length: 2\r\n\r\n{}");
  };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(listener_.status, 429);
  EXPECT_EQ(listener_.Header("retry-after-ms"), "3646");
  EXPECT_EQ(listener_.body, "{}");
  EXPECT_EQ(*listener_.done, absl::OkStatus());
}

TEST_P(UpstreamClientTest, ReportsOnlyTheFinalAnswerAfterInterimOnes) {
  server_.on_request = [](auto& connection) {
    connection.Send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + Answer("ok"));
  };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(listener_.status, 200);
  EXPECT_EQ(listener_.Header("link"), "");
  EXPECT_EQ(listener_.body, "ok");
}

TEST_P(UpstreamClientTest, ReportsARedirectAndDoesNotFollowIt) {
  ScriptedServer elsewhere(context_);
  server_.on_request = [&](auto& connection) {
    connection.Send(
        fmt::format("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.Url()));
  };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  RunReady();
  EXPECT_EQ(listener_.status, 307);
  EXPECT_EQ(*listener_.done, absl::OkStatus());
  EXPECT_EQ(elsewhere.accepted(), 0);
}

TEST_P(UpstreamClientTest, EndsUnavailableWhenTheStreamIsReset) {
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return server_.requests().size() == 1; });
  server_.connection().Send(kStreamHead + Chunk("data: one\n\n"));
  RunUntil([this] { return !listener_.body.empty(); });
  server_.connection().Reset();
  RunUntilDone();
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
}

TEST_P(UpstreamClientTest, EndsUnavailableOnAnAnswerThatIsNone) {
  std::string headers = "HTTP/1.1 200 OK\r\n";
  while (headers.size() < 2 * kMostAnswerHeaderBytes) headers += "X-Bomb: " + std::string(500, 'x') + "\r\n";
  const std::string header = "HTTP/1.1 200 OK\r\nX-Bomb: " + std::string(2 * kMostAnswerHeaderBytes, 'x');
  const std::string one = kStreamHead + Chunk("data: one\n\n");
  const struct {
    const char* name;
    std::string answer;
    bool closes;
    std::optional<int> status;  // that the listener hears of
    const char* body = "";
    const char* says = "";
  } rows[] = {
      {"nothing", "", true, std::nullopt},
      {"garbage", "\x16\x03\x01 this is no HTTP\r\n\r\n", true, std::nullopt, "", "not HTTP/1.1"},
      {"headers that never end", headers, false, std::nullopt, "", "262144 bytes"},
      {"one header that never ends", header, false, std::nullopt},
      {"a body shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", true, 200,
       "only this"},
      {"a chunked stream that just ends", one, true, 200, "data: one\n\n"},
      {"a chunk that is none", one + "no length\r\n", false, 200, "data: one\n\n"},
  };
  for (const auto& row : rows) {
    server_.on_request = [&](auto& connection) {
      if (!row.answer.empty()) connection.Send(row.answer);
      if (row.closes) connection.Close();
    };
    const Answered answered = Ask(Post(server_.Url()));
    EXPECT_TRUE(absl::IsUnavailable(*answered.heard.done)) << row.name << ": " << *answered.heard.done;
    EXPECT_EQ(answered.heard.status, row.status) << row.name;
    EXPECT_EQ(answered.heard.body, row.body) << row.name;
    EXPECT_THAT(std::string(answered.heard.done->message()), HasSubstr(row.says)) << row.name;
  }
}

TEST_P(UpstreamClientTest, KnowsThatAWholeRequestHasGoneOutThoughNoAnswerCame) {
  server_.on_request = [](auto& connection) { connection.Reset(); };
  for (const size_t bytes : {size_t{2}, size_t{5'000'000}}) {
    RecordingListener listener;
    const auto exchange = client_.Start(Post(server_.Url(), std::string(bytes, 'x')), &listener);
    EXPECT_FALSE(exchange->sent());
    RunUntil([&] { return listener.done.has_value(); });
    EXPECT_TRUE(absl::IsUnavailable(*listener.done)) << *listener.done;
    EXPECT_TRUE(exchange->sent()) << bytes;
  }
}

TEST_P(UpstreamClientTest, KnowsThatARequestHasNotGoneOutWhole) {
  boost::asio::ip::tcp::acceptor refuses(context_,
                                         boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const std::string url = fmt::format("http://127.0.0.1:{}/v1/responses", refuses.local_endpoint().port());
  // More than all buffers on the way hold, and nobody reads it.
  boost::asio::ip::tcp::socket accepted(context_);
  refuses.async_accept(accepted, [&](const boost::system::error_code&) {
    accepted.set_option(boost::asio::socket_base::linger(true, 0));
    accepted.close();
  });
  RecordingListener reset;
  auto exchange = client_.Start(Post(url, std::string(64 << 20, 'x')), &reset);
  RunUntil([&] { return reset.done.has_value(); });
  EXPECT_FALSE(exchange->sent());
  refuses.close();
  RecordingListener refused;
  exchange = client_.Start(Post(url), &refused);
  RunUntil([&] { return refused.done.has_value(); });
  EXPECT_FALSE(exchange->sent());
}

TEST_P(UpstreamClientTest, EndsUnavailableWhereNobodyListens) {
  std::string url;
  int port = 0;
  {
    const ScriptedServer gone(context_);
    url = gone.Url("/secret-path?key=sk-very-secret");
    port = gone.port();
  }
  exchange_ = client_.Start(Post(url), &listener_);
  RunUntilDone();
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
  EXPECT_THAT(std::string(listener_.done->message()), HasSubstr(fmt::format("127.0.0.1:{}", port)));
  EXPECT_THAT(std::string(listener_.done->message()), Not(HasSubstr("secret")));
}

TEST_P(UpstreamClientTest, RefusesWhatCannotBeSent) {
  for (const char* url : {"", "not a URL", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:sk-very-secret@/x",
                          "127.0.0.1:80/x"}) {
    const Answered answered = Ask(Post(url));
    EXPECT_TRUE(absl::IsInvalidArgument(*answered.heard.done)) << url << ": " << *answered.heard.done;
    EXPECT_THAT(std::string(answered.heard.done->message()), Not(HasSubstr("secret"))) << url;
  }
}

TEST_P(UpstreamClientTest, RefusesHeadersThatWouldSmuggleOthers) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"a", "sk-very-secret\r\nHost: elsewhere"},
                                                        {"a\r\nb", "c"},
                                                        {"a:b", "c"},
                                                        {"", "c"},
                                                        {"a", std::string("b\0c", 3)}}) {
    UpstreamRequest request = Post(server_.Url());
    request.headers = {{name, value}};
    const Answered answered = Ask(std::move(request));
    EXPECT_TRUE(absl::IsInvalidArgument(*answered.heard.done)) << *answered.heard.done;
    EXPECT_THAT(std::string(answered.heard.done->message()), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(server_.accepted(), 0);
}

TEST_P(UpstreamClientTest, IsSilentAfterDestructionInsideOnHeaders) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  listener_.on_headers = [this] { exchange_.reset(); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return listener_.status.has_value(); });
  RunReady();
  EXPECT_EQ(listener_.body, "");
  EXPECT_FALSE(listener_.done);
}

TEST_P(UpstreamClientTest, IsSilentAfterDestructionInsideOnBodyAndDropsTheConnection) {
  listener_.on_body = [this] { exchange_.reset(); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntil([this] { return server_.requests().size() == 1; });
  server_.connection().Send(kStreamHead + Chunk("data: one\n\n"));
  RunUntil([this] { return !listener_.body.empty(); });
  server_.connection().Send(Chunk("data: two\n\n") + "0\r\n\r\n");
  RunReady();
  EXPECT_EQ(listener_.body, "data: one\n\n");
  EXPECT_FALSE(listener_.done);

  RecordingListener next;
  const auto exchange = client_.Start(Post(server_.Url()), &next);
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  RunUntil([&] { return next.done.has_value(); });
  EXPECT_EQ(next.body, "ok");
  EXPECT_EQ(server_.accepted(), 2);
}

TEST_P(UpstreamClientTest, LetsAnExchangeBeDestroyedInsideOnDone) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  listener_.on_done = [this] { exchange_.reset(); };
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  RunUntilDone();
  EXPECT_EQ(exchange_, nullptr);
}

TEST_P(UpstreamClientTest, LetsAListenerDestroyAnotherExchangeAndStartANewOne) {
  server_.on_request = [](auto& connection) { connection.Send(Answer("ok")); };
  RecordingListener other;
  RecordingListener next;
  std::unique_ptr<UpstreamExchange> other_exchange, next_exchange;
  const auto replace = [&] {
    if (next_exchange) return;
    (listener_.done ? other_exchange : exchange_).reset();
    next_exchange = client_.Start(Post(server_.Url()), &next);
  };
  listener_.on_done = replace;
  other.on_done = replace;
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  other_exchange = client_.Start(Post(server_.Url()), &other);
  RunUntil([&] { return next.done.has_value(); });
  EXPECT_NE(listener_.done.has_value(), other.done.has_value());
  EXPECT_EQ(next.body, "ok");
}

TEST_P(UpstreamClientTest, IsSilentAfterDestructionBeforeAnythingHappened) {
  exchange_ = client_.Start(Post(server_.Url()), &listener_);
  exchange_.reset();
  RunReady();
  exchange_ = client_.Start(Post("not a URL"), &listener_);
  exchange_.reset();
  RunReady();
  EXPECT_FALSE(listener_.status || listener_.done);
}

INSTANTIATE_TEST_SUITE_P(, UpstreamClientTest, testing::Values(Kind::kCurl, Kind::kPlain),
                         [](const auto& test) { return test.param == Kind::kCurl ? "Curl" : "Plain"; });

}  // namespace
}  // namespace holdfast::quota
