#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/http/http_server.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Leaves every request to the test.
class Handler final : public HttpHandler {
 public:
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) override {
    if (head.path == "/refused") return HttpAnswer{401, {}, std::string(20'000'000, 'x')};
    return std::nullopt;
  }
  void Serve(HttpRequest request, std::shared_ptr<HttpReply> reply) override { serve(std::move(request), reply); }
  HttpAnswer Complain(unsigned status, const std::string& message) override { return {status, {}, message}; }

  std::function<void(HttpRequest, std::shared_ptr<HttpReply>)> serve;
};

class HttpHandlerTest : public testing::Test {
 protected:
  void Start(std::chrono::steady_clock::duration stuck = std::chrono::seconds(60), size_t most_connections = 256) {
    const HttpServerOptions options{
        .handler = &handler_, .bounds = {.stuck = stuck}, .most_connections = most_connections};
    server_ = HttpServer::Start(context_, Address{"127.0.0.1", 0, ""}, {}, options).value();
    loop_ = std::thread([this] { context_.run(); });
  }
  ~HttpHandlerTest() override {
    asio::post(context_, [this] {
      server_.reset();
      reply_.reset();
    });
    work_.reset();
    loop_.join();
  }
  // With a small buffer, so that what it does not read stays at the server.
  tcp::socket Connect() {
    tcp::socket socket(client_, tcp::v4());
    socket.set_option(tcp::socket::receive_buffer_size(32 * 1024));
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->address().port});
    return socket;
  }
  // The server has broken the connection; false: it does not within ten seconds.
  static bool AwaitBreak(tcp::socket& socket) {
    pollfd watched{socket.native_handle(), 0, 0};
    return poll(&watched, 1, 10'000) == 1 && (watched.revents & (POLLERR | POLLHUP)) != 0;
  }

  asio::io_context client_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  Handler handler_;
  std::shared_ptr<HttpReply> reply_;
  std::unique_ptr<HttpServer> server_;
  std::thread loop_;
};

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(HttpHandlerTest, AClientThatTakesNothingOfItsAnswerIsCut) {
  handler_.serve = [](HttpRequest, std::shared_ptr<HttpReply> reply) {
    reply->Send({200, {}, std::string(20'000'000, 'x')});
  };
  Start(std::chrono::milliseconds(200));
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view(kGet)));
  EXPECT_TRUE(AwaitBreak(socket));
}

TEST_F(HttpHandlerTest, AClientThatTakesNothingOfAStreamIsCutAndItsHandlerTold) {
  std::promise<void> gone;
  handler_.serve = [&](HttpRequest, std::shared_ptr<HttpReply> reply) {
    reply->set_on_gone([&] { gone.set_value(); });
    reply->BeginStream(200, {});
    reply->Write(std::string(20'000'000, 'x'));
    reply_ = reply;
  };
  Start(std::chrono::milliseconds(200));
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view(kGet)));
  EXPECT_TRUE(AwaitBreak(socket));
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

// Everything that the server says until it closes.
std::string ReadAll(tcp::socket& socket) {
  std::string all;
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(all), error);
  EXPECT_EQ(error, asio::error::eof);
  return all;
}

TEST_F(HttpHandlerTest, AConnectionThatEndsInARequestsBodyGivesItsPlaceBack) {
  std::promise<std::shared_ptr<HttpReply>> first;
  handler_.serve = [&](HttpRequest, std::shared_ptr<HttpReply> reply) { first.set_value(std::move(reply)); };
  Start(std::chrono::seconds(60), 1);
  tcp::socket socket = Connect();
  const std::string sent = std::string(kGet) + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
  asio::write(socket, asio::buffer(sent));
  socket.shutdown(tcp::socket::shutdown_send);
  std::shared_ptr<HttpReply> reply = first.get_future().get();
  handler_.serve = [](HttpRequest, std::shared_ptr<HttpReply> again) { again->Send({200, {}, "again"}); };
  asio::post(context_, [reply = std::move(reply)] { reply->Send({200, {}, "first"}); });
  EXPECT_THAT(ReadAll(socket), testing::EndsWith("first"));
  tcp::socket next = Connect();
  asio::write(next, asio::buffer(std::string_view(kGet)));
  next.shutdown(tcp::socket::shutdown_send);
  std::string answer(15, '\0');
  boost::system::error_code error;
  asio::read(next, asio::buffer(answer), error);
  EXPECT_EQ(answer, "HTTP/1.1 200 OK") << error.message();
}

TEST_F(HttpHandlerTest, WhatIsPipelinedBehindARefusalThatGoesOutSlowlyIsServed) {
  handler_.serve = [](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    reply->Send({200, {}, "served " + request.path});
  };
  Start();
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view("GET /refused HTTP/1.1\r\nHost: h\r\n\r\n"
                                                    "GET /one HTTP/1.1\r\nHost: h\r\n\r\n"
                                                    "GET /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")));
  const std::string answers = ReadAll(socket);
  EXPECT_THAT(answers, testing::StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(answers.substr(20'000'000), testing::ContainsRegex("served /one(.|\n)*served /two"));
}

TEST_F(HttpHandlerTest, ToldWhenAClientHasCaughtUp) {
  std::promise<size_t> caught_up;
  std::promise<size_t> behind;
  handler_.serve = [&](HttpRequest, std::shared_ptr<HttpReply> reply) {
    reply->set_on_drained(1'000'000, [&, raw = reply.get()] { caught_up.set_value(raw->unsent()); });
    reply->BeginStream(200, {});
    for (int i = 0; i < 20; ++i) reply->Write(std::string(1'000'000, 'x'));
    behind.set_value(reply->unsent());
    reply_ = reply;
  };
  Start();
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view(kGet)));
  EXPECT_GT(behind.get_future().get(), 19'000'000U);
  std::string taken(19'500'000, '\0');
  asio::read(socket, asio::buffer(taken));
  EXPECT_LE(caught_up.get_future().get(), 1'000'000U);
}

std::vector<std::string> PathsIn(const std::string& answers) {
  std::vector<std::string> paths;
  for (size_t at = answers.find("[/"); at != std::string::npos; at = answers.find("[/", at + 1)) {
    paths.push_back(answers.substr(at + 1, answers.find(']', at) - at - 1));
  }
  return paths;
}

class PipelineTest : public HttpHandlerTest, public testing::WithParamInterface<bool> {};

TEST_P(PipelineTest, HoweverManyRequestsCameTogetherAreAnsweredInOrder) {
  handler_.serve = [this](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    auto answer = [path = request.path, reply] { reply->Send({200, {}, "[" + path + "]"}); };
    if (GetParam()) {
      answer();
    } else {
      asio::post(context_, answer);
    }
  };
  Start();
  std::string requests;
  std::vector<std::string> expected;
  for (int i = 0; i < 3'000; ++i) {
    expected.push_back("/" + std::to_string(i));
    requests += "GET " + expected.back() + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  tcp::socket socket = Connect();
  std::thread writer([&] {
    asio::write(socket, asio::buffer(requests));
    // It has said all, and still wants its answers.
    socket.shutdown(tcp::socket::shutdown_send);
  });
  const std::string answers = ReadAll(socket);
  writer.join();
  EXPECT_EQ(PathsIn(answers), expected);
}

INSTANTIATE_TEST_SUITE_P(, PipelineTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "AtOnce" : "Later"; });

TEST_F(HttpHandlerTest, ARequestMayComeByteByByte) {
  std::promise<HttpRequest> served;
  handler_.serve = [&](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    served.set_value(std::move(request));
    reply->Send({200, {}, "ok"});
  };
  Start();
  tcp::socket socket = Connect();
  socket.set_option(tcp::no_delay(true));
  for (const char byte :
       std::string("POST /a?b=c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-One: two\r\n\r\n"
                   "5\r\nhello\r\n7\r\n, world\r\n0\r\nX-Late: yes\r\n\r\n")) {
    asio::write(socket, asio::buffer(&byte, 1));
  }
  const HttpRequest request = served.get_future().get();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/a");
  EXPECT_EQ(request.query, "b=c");
  EXPECT_EQ(request.body, "hello, world");
  EXPECT_EQ(request.Header("x-one"), "two");
  EXPECT_EQ(request.Header("x-late"), "") << "a trailer is no header";
}

TEST_F(HttpHandlerTest, ABodyOfManyReadsIsWhole) {
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) body += std::to_string(i) + " ";
  std::promise<std::string> served;
  handler_.serve = [&](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    served.set_value(std::move(request.body));
    reply->Send({200, {}, "ok"});
  };
  Start();
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                                   "\r\n\r\n" + body));
  EXPECT_EQ(served.get_future().get(), body);
}

TEST_F(HttpHandlerTest, AClientThatGoesIsTold) {
  std::promise<void> gone;
  std::promise<void> begun;
  handler_.serve = [&](HttpRequest, std::shared_ptr<HttpReply> reply) {
    reply->set_on_gone([&] { gone.set_value(); });
    reply_ = reply;
    begun.set_value();
  };
  Start();
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view(kGet)));
  begun.get_future().get();
  socket.close();
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(HttpHandlerTest, AHandlerMayCutTheConnectionFromInsideServe) {
  handler_.serve = [&](HttpRequest, std::shared_ptr<HttpReply> reply) {
    reply->BeginStream(200, {});
    reply->Cut();
    reply->Write("nobody hears it");
    reply->End();
  };
  Start();
  tcp::socket socket = Connect();
  asio::write(socket, asio::buffer(std::string_view(kGet)));
  EXPECT_TRUE(AwaitBreak(socket));
}

}  // namespace
}  // namespace holdfast
