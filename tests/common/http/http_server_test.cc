#include "common/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "tests/support/http_call.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    auto server = HttpServer::Start(
        context_, Address{"127.0.0.1", 0, ""},
        {{"/healthz", [] { return HttpPage{.text = "ok\n"}; }}, {"/readyz", [this] { return ready_; }}});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    loop_ = std::thread([this] { context_.run(); });
  }
  // Connections that are still open must not outlive the context.
  ~HttpServerTest() override {
    asio::post(context_, [this] { server_.reset(); });
    work_.reset();
    context_.stop();
    loop_.join();
  }

  tcp::socket Connect() {
    tcp::socket socket(client_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->address().port});
    return socket;
  }
  // Sends these bytes; everything that comes until the server closes.
  std::string Raw(const std::string& bytes) {
    tcp::socket socket = Connect();
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), ignored);
    return answer;
  }
  test::HttpReply Get(const std::string& path, const std::string& method = "GET", const std::string& body = "") {
    return test::HttpCall(method, "http://" + server_->address().ToString() + path, body).value();
  }

  asio::io_context client_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  HttpPage ready_{.text = "ready\n"};
  std::unique_ptr<HttpServer> server_;
  std::thread loop_;
};

TEST_F(HttpServerTest, LivesAndIsReady) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/healthz").body, "ok\n");
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST_F(HttpServerTest, LivesButIsNotReadyAndSaysWhy) {
  ready_ = {.status = 503, .text = "shutting down\n"};
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "shutting down\n");
}

TEST_F(HttpServerTest, ListsWhatItKnowsToWhoAsksForMore) {
  for (const char* path : {"/", "/healthz/", "/v1/models", "/metrics"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
    EXPECT_THAT(Get(path).body, AllOf(HasSubstr("/healthz"), HasSubstr("/readyz")));
  }
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  const std::string answer = Raw("HEAD /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n"), HasSubstr("Content-Length: 3")));
}

TEST_F(HttpServerTest, TakesNoOtherMethodWithOrWithoutABody) {
  EXPECT_EQ(Get("/healthz", "DELETE").status, 405);
  EXPECT_EQ(Get("/healthz", "POST", "{\"a\": 1}").status, 405);
  EXPECT_EQ(Get("/healthz", "PUT", std::string(1'000'000, 'x')).status, 405);
}

TEST_F(HttpServerTest, AnswersRequestAfterRequestOnOneConnection) {
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string last = "GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string answer = Raw(request + request + last);
  EXPECT_THAT(answer, AllOf(HasSubstr("ok\n"), EndsWith("ready\n")));
  size_t answers = 0;
  for (size_t at = answer.find("HTTP/1.1 200 "); at != std::string::npos; at = answer.find("HTTP/1.1 200 ", at + 1))
    ++answers;
  EXPECT_EQ(answers, 3U);
}

TEST_F(HttpServerTest, NothingFollowsABodyThatItDidNotRead) {
  const std::string answer =
      Raw("GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("ok\n"), testing::Not(HasSubstr("404"))));
}

TEST_F(HttpServerTest, CallsGarbageABadRequest) {
  for (const char* garbage : {"\x16\x03\x01\x02 TLS hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                              "GET /healthz HTTP/1.1\r\nbad header\r\n\r\n"}) {
    EXPECT_THAT(Raw(garbage), StartsWith("HTTP/1.1 400 ")) << garbage;
  }
}

TEST_F(HttpServerTest, BoundsTheHeader) {
  const std::string answer = Raw("GET /healthz HTTP/1.1\r\nX: " + std::string(1'000'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(answer, testing::Not(HasSubstr(" 200 ")));
  EXPECT_EQ(Get("/healthz").status, 200) << "and goes on";
}

TEST_F(HttpServerTest, SurvivesClientsThatLeaveOrSayNothing) {
  std::vector<tcp::socket> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(Connect());
  for (int i = 0; i < 20; ++i) {
    tcp::socket socket = Connect();
    asio::write(socket, asio::buffer(std::string("GET /heal")));
  }
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(HttpServerTest, AnAddressThatIsTakenIsNamed) {
  const auto second = HttpServer::Start(client_, server_->address(), {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(server_->address().ToString()));
  const auto nowhere = HttpServer::Start(client_, Address{"no-such-host.invalid", 0, ""}, {});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace holdfast
