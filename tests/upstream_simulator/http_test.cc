// The simulator over real sockets: a stock HTTP client per dialect, and raw sockets for what no client shows.
#include "boost/beast/http.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core.hpp"
#include "boost/json/parse.hpp"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/upstream_simulator/api_session.h"
#include "tests/upstream_simulator/http_server.h"

namespace holdfast::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Response = http::response<http::string_body>;

constexpr char kResponsesPath[] = "/v1/responses";
constexpr char kChatPath[] = "/v1/chat/completions";
constexpr char kResponsesRequest[] = R"({"model":"o4-mini","stream":true,"input":"go"})";
constexpr char kPlainRequest[] = R"({"model":"o4-mini","input":"go"})";
constexpr char kChatRequest[] = R"({"model":"o4-mini","stream":true,"messages":[{"role":"user","content":"go"}]})";

// How a raw connection ended.
enum class End { kClosed, kReset, kStillOpen };

struct Raw {
  std::string bytes;
  End end = End::kStillOpen;
};

std::size_t Count(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

class HttpTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Listen("127.0.0.1:0", "127.0.0.1:0").ok());
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    io_.stop();
    thread_.join();
  }

  static Response Roundtrip(tcp::socket& socket, http::verb verb, const std::string& path, const std::string& body) {
    http::request<http::string_body> request(verb, path, 11);
    request.set(http::field::host, "simulator");
    request.body() = body;
    request.prepare_payload();
    http::write(socket, request);
    boost::beast::flat_buffer buffer;
    Response response;
    http::read(socket, buffer, response);
    return response;
  }

  tcp::socket Connect(unsigned short port) {
    tcp::socket socket(client_);
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    return socket;
  }

  Response Call(http::verb verb, const std::string& path, const std::string& body) {
    tcp::socket socket = Connect(server_.api_port());
    return Roundtrip(socket, verb, path, body);
  }

  json::value Control(http::verb verb, const std::string& path, const std::string& body = {}) {
    tcp::socket socket = Connect(server_.control_port());
    const Response response = Roundtrip(socket, verb, path, body);
    EXPECT_EQ(response.result_int(), 200U) << response.body();
    return json::parse(response.body());
  }

  // Sends a request and reads until the connection ends; with a `marker`, until that has arrived and 150 ms have
  // passed.
  Raw Send(const std::string& path, const std::string& body, const std::string& marker = {}) {
    asio::io_context io;
    tcp::socket socket(io);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_.api_port()});
    asio::write(socket, asio::buffer(fmt::format("POST {} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n"
                                                 "Content-Length: {}\r\n\r\n{}",
                                                 path, body.size(), body)));
    Raw raw;
    bool ended = false;
    std::array<char, 4096> piece{};
    std::function<void()> read = [&] {
      socket.async_read_some(asio::buffer(piece), [&](const boost::system::error_code& error, std::size_t size) {
        raw.bytes.append(piece.data(), size);
        ended = bool{error};
        if (!ended) return read();
        raw.end = error == asio::error::eof ? End::kClosed : End::kReset;
      });
    };
    read();
    while (!ended && (marker.empty() || raw.bytes.find(marker) == std::string::npos)) {
      if (io.run_one_for(std::chrono::seconds(10)) == 0) break;
    }
    if (!ended) io.run_for(std::chrono::milliseconds(150));
    return raw;
  }

  Raw SendWithFault(const std::string& fault, const std::string& path, const std::string& body,
                    const std::string& marker = {}) {
    Control(http::verb::post, "/faults", fault);
    return Send(path, body, marker);
  }

  // The newest record, as soon as nothing is in flight.
  json::value SettledRecord() {
    for (;;) {
      const json::value log = Control(http::verb::get, "/requests");
      if (log.at("in_flight") == 0) return log.at("requests").as_array().back();
    }
  }

  Simulator simulator_{std::nullopt, CurrentMoment()};
  asio::io_context io_{1};
  HttpServer server_{io_, simulator_};
  asio::io_context client_;
  std::thread thread_;
};

TEST_F(HttpTest, StreamsResponsesOnAConnectionThatStaysOpen) {
  tcp::socket socket = Connect(server_.api_port());
  for (int i = 0; i < 2; ++i) {
    const Response response = Roundtrip(socket, http::verb::post, kResponsesPath, kResponsesRequest);
    EXPECT_EQ(response.result_int(), 200U);
    EXPECT_EQ(response[http::field::content_type], "text/event-stream; charset=utf-8");
    EXPECT_THAT(response.body(), StartsWith("event: response.created\ndata: {\"type\":\"response.created\""));
    EXPECT_THAT(response.body(), HasSubstr("event: response.completed\n"));
  }
  EXPECT_EQ(SettledRecord().at("completed"), true);
}

TEST_F(HttpTest, StreamsChat) {
  const Response response = Call(http::verb::post, kChatPath, kChatRequest);
  EXPECT_EQ(response.result_int(), 200U);
  EXPECT_THAT(response.body(), EndsWith("data: [DONE]\n\n"));
  EXPECT_EQ(SettledRecord().at("path"), "chat");
}

TEST_F(HttpTest, AnswersPlainRequestsWithOneBody) {
  const Response response = Call(http::verb::post, kResponsesPath, kPlainRequest);
  EXPECT_EQ(json::parse(response.body()).at("output").at(0).at("content").at(0).at("text"), "OK.");
  EXPECT_EQ(json::parse(Call(http::verb::get, "/v1/models?client_version=1", "").body()).at("data").at(0).at("id"),
            "o4-mini");
  EXPECT_EQ(Call(http::verb::get, "/v2", "").result_int(), 404U);
}

TEST_F(HttpTest, RefusesWithHeadersAndAcceptsOnceItFits) {
  Control(http::verb::put, "/limits", R"({"tokens":{"limit":200000,"per":60,"kind":"fixed","used":160193}})");
  const std::string request = R"({"model":"o4-mini","input":"go","max_output_tokens":51963})";
  const Response refusal = Call(http::verb::post, kResponsesPath, request);
  EXPECT_EQ(refusal.result_int(), 429U);
  EXPECT_FALSE(refusal["retry-after"].empty());
  EXPECT_FALSE(refusal["retry-after-ms"].empty());
  EXPECT_EQ(refusal["x-ratelimit-remaining-tokens"], "39807");
  EXPECT_THAT(refusal.body(), HasSubstr("Used 160193, Requested 51963. Please try again in "));

  Control(http::verb::put, "/limits", R"({"tokens":{"limit":200000,"used":0}})");
  const Response answer = Call(http::verb::post, kResponsesPath, request);
  EXPECT_EQ(answer.result_int(), 200U);
  EXPECT_EQ(answer["x-ratelimit-remaining-tokens"], "148037");
}

TEST_F(HttpTest, PausesWhereTheScriptSays) {
  Control(http::verb::put, "/script",
          R"({"default":{"text":"abcd","delay_ms":30,"first_event_delay_ms":40,"event_delay_ms":10,"chunks":4,
              "last_event_delay_ms":50}})");
  const auto begin = std::chrono::steady_clock::now();
  Call(http::verb::post, kResponsesPath, kResponsesRequest);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(160));
}

TEST_F(HttpTest, SendsHeadersAndTheFirstEventBeforeThePause) {
  Control(http::verb::put, "/script", R"({"default":{"first_event_delay_ms":3600000}})");
  const Raw raw = Send(kResponsesPath, kResponsesRequest, "event: response.created");
  EXPECT_EQ(raw.end, End::kStillOpen);
  EXPECT_EQ(Count(raw.bytes, "event: "), 1U);
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.created"));
}

TEST_F(HttpTest, RefusingFaultsLookLikeOpenAi) {
  Raw raw = SendWithFault(R"({"fault":"429","seconds":3})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(raw.bytes, HasSubstr("retry-after: 3\r\n"));
  EXPECT_THAT(raw.bytes, HasSubstr("retry-after-ms: 3000\r\n"));
  EXPECT_THAT(raw.bytes, HasSubstr("Please try again in 3s. Visit"));

  raw = SendWithFault(R"({"fault":"429_no_headers"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("Please try again in 1s. Visit"));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("retry-after")));

  raw = SendWithFault(R"({"fault":"429_bare"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("rate_limit_exceeded"));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("try again")));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("retry-after")));

  raw = SendWithFault(R"({"fault":"insufficient_quota"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"("code":"insufficient_quota")"));
  raw = SendWithFault(R"({"fault":"too_large"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("Request too large for o4-mini"));
  raw = SendWithFault(R"({"fault":"context_length"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"("code":"context_length_exceeded")"));
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 400 "));
  raw = SendWithFault(R"({"fault":"403"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 403 "));
  raw = SendWithFault(R"({"fault":"401"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 401 "));
}

TEST_F(HttpTest, AFaultStrikesInTheMiddleOfThePartThatItNames) {
  constexpr char kScript[] =
      R"({"default": {"reasoning": "ab", "text": "cdef", "tool_calls": [{"name": "n", "arguments": "ghi"}]}})";
  Control(http::verb::put, "/script", kScript);
  Raw raw = SendWithFault(R"({"fault":"cut","after":"reasoning"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(Count(raw.bytes, "event: response.reasoning_summary_text.delta"), 1U);
  EXPECT_EQ(Count(raw.bytes, "event: response.output_text.delta"), 0U);
  raw = SendWithFault(R"({"fault":"cut","after":"text"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(Count(raw.bytes, "event: response.output_text.delta"), 2U);
  raw = SendWithFault(R"({"fault":"cut","after":"arguments"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(Count(raw.bytes, "event: response.function_call_arguments.delta"), 2U);

  raw = SendWithFault(R"({"fault":"stream_429","after":"reasoning"})", kChatPath, kChatRequest);
  EXPECT_EQ(Count(raw.bytes, R"("reasoning_content":)"), 1U);
  EXPECT_EQ(Count(raw.bytes, R"(data: {"error")"), 1U);
  raw = SendWithFault(R"({"fault":"stream_429","after":"text"})", kChatPath, kChatRequest);
  EXPECT_EQ(Count(raw.bytes, R"("delta":{"content":)"), 2U);
  raw = SendWithFault(R"({"fault":"stream_429","after":"arguments"})", kChatPath, kChatRequest);
  EXPECT_EQ(Count(raw.bytes, R"("function":{"arguments":)"), 2U);

  Control(http::verb::put, "/script", R"({"default": {"text": "cdef"}})");
  raw = SendWithFault(R"({"fault":"cut","after":"reasoning"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpTest, ARedirectNamesItsPlace) {
  const Raw raw = SendWithFault(R"({"fault":"redirect","location":"http://localhost/x"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 307 "));
  EXPECT_THAT(raw.bytes, HasSubstr("location: http://localhost/x\r\n"));
}

TEST_F(HttpTest, WhatComesMayBeNoHttp) {
  Raw raw = SendWithFault(R"({"fault":"not_http"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(raw.bytes, "SSH-2.0-simulator\r\n");
  EXPECT_EQ(raw.end, End::kClosed);
  raw = SendWithFault(R"({"fault":"broken_framing"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(Count(raw.bytes, "event: "), 3U);
  EXPECT_THAT(raw.bytes, EndsWith("\r\nno chunk begins like this\r\n"));
  raw = SendWithFault(R"({"fault":"silence_before_headers"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(raw.bytes, "");
  EXPECT_EQ(raw.end, End::kStillOpen);
}

TEST_F(HttpTest, AStreamMayBeMislabelledOrTooLarge) {
  Raw raw = SendWithFault(R"({"fault":"wrong_type"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("Content-Type: application/octet-stream\r\n"));
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.completed"));
  raw = SendWithFault(R"({"fault":"oversized_event"})", kResponsesPath, kResponsesRequest);
  EXPECT_GT(raw.bytes.size(), std::size_t{16} << 20);
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.completed"));
}

TEST_F(HttpTest, FailingFaultsHaveTheirStatus) {
  Raw raw = SendWithFault(R"({"fault":"500"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 500 "));
  raw = SendWithFault(R"({"fault":"503","seconds":2})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(raw.bytes, HasSubstr("retry-after: 2\r\n"));
  raw = SendWithFault(R"({"fault":"529"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 529 "));
  EXPECT_THAT(raw.bytes, HasSubstr("overloaded_error"));
  raw = SendWithFault(R"({"fault":"garbage_body"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(raw.bytes, HasSubstr("Content-Type: text/html"));
  raw = SendWithFault(R"({"fault":"json_error_200"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(raw.bytes, HasSubstr(R"({"error":{"message")"));
}

TEST_F(HttpTest, StreamsCanFailInTheirOwnWords) {
  Raw raw = SendWithFault(R"({"fault":"stream_429","seconds":2})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Count(raw.bytes, "event: "), 2U);
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.failed"));
  EXPECT_THAT(raw.bytes, HasSubstr(R"("error":{"code":"rate_limit_exceeded","message":"Rate limit reached)"));
  EXPECT_THAT(raw.bytes, HasSubstr("Please try again in 2s."));

  raw = SendWithFault(R"({"fault":"stream_429"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"(data: {"error":{"message":"Rate limit reached)"));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("[DONE]")));

  raw = SendWithFault(R"({"fault":"stream_error"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("event: error\ndata: {\"type\":\"error\""));
  raw = SendWithFault(R"({"fault":"overloaded"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"("error":{"code":"server_error")"));
  raw = SendWithFault(R"({"fault":"stream_insufficient_quota"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"("error":{"code":"insufficient_quota")"));
  raw = SendWithFault(R"({"fault":"stream_context_length"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, HasSubstr(R"("code":"context_length_exceeded")"));
  EXPECT_EQ(raw.end, End::kClosed);
}

TEST_F(HttpTest, ACutResetsTheConnectionInMidStream) {
  const Raw raw = SendWithFault(R"({"fault":"cut","after_events":4})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(raw.end, End::kReset);
  EXPECT_EQ(Count(raw.bytes, "event: "), 4U);
  const json::value record = SettledRecord();
  EXPECT_EQ(record.at("fault"), "cut");
  EXPECT_EQ(record.at("completed"), false);
}

TEST_F(HttpTest, ACutBeforeHeadersSendsNothing) {
  const Raw raw = SendWithFault(R"({"fault":"cut_before_headers"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(raw.end, End::kReset);
  EXPECT_EQ(raw.bytes, "");
  EXPECT_TRUE(SettledRecord().at("status").is_null());
}

TEST_F(HttpTest, ACutOfAPlainAnswerFallsIntoItsBody) {
  const Raw raw = SendWithFault(R"({"fault":"cut"})", kResponsesPath, kPlainRequest);
  EXPECT_EQ(raw.end, End::kReset);
  EXPECT_THAT(raw.bytes, HasSubstr(R"({"id":"resp_)"));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("usage\":{")));
}

TEST_F(HttpTest, SilenceLastsUntilTheClientGoes) {
  const Raw raw =
      SendWithFault(R"({"fault":"silence"})", kResponsesPath, kResponsesRequest, "response.output_item.added");
  EXPECT_EQ(raw.end, End::kStillOpen);
  EXPECT_EQ(Count(raw.bytes, "event: "), 3U);
  EXPECT_THAT(raw.bytes, Not(HasSubstr(": ping")));
  EXPECT_EQ(SettledRecord().at("client_gone"), true);
}

TEST_F(HttpTest, SilenceMayHoldComments) {
  const Raw raw = SendWithFault(R"({"fault":"silence_comments"})", kChatPath, kChatRequest, ": ping");
  EXPECT_EQ(raw.end, End::kStillOpen);
  EXPECT_EQ(Count(raw.bytes, "data: "), 3U);
  EXPECT_GE(Count(raw.bytes, ": ping\n\n"), 2U);
}

TEST_F(HttpTest, AStreamCanEndWithoutItsLastEvents) {
  Raw raw = SendWithFault(R"({"fault":"end_without_completed"})", kResponsesPath, kResponsesRequest);
  EXPECT_EQ(raw.end, End::kClosed);
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.output_item.done"));
  EXPECT_THAT(raw.bytes, Not(HasSubstr("response.completed")));
  EXPECT_THAT(raw.bytes, EndsWith("\r\n0\r\n\r\n"));
  raw = SendWithFault(R"({"fault":"end_without_completed"})", kChatPath, kChatRequest);
  EXPECT_THAT(raw.bytes, Not(HasSubstr("[DONE]")));
  EXPECT_THAT(raw.bytes, Not(HasSubstr(R"("finish_reason":"stop")")));
}

TEST_F(HttpTest, GarbageStandsInsideTheStream) {
  const Raw raw = SendWithFault(R"({"fault":"garbage"})", kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("data: <html>{not json\n\n"));
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.completed"));
}

TEST_F(HttpTest, HoldsStreamsUntilTheyAreLetGo) {
  Control(http::verb::put, "/options", R"({"hold_streams": true})");
  Raw raw = Send(kResponsesPath, kResponsesRequest, "response.output_text.delta");
  EXPECT_EQ(raw.end, End::kStillOpen);
  EXPECT_EQ(Count(raw.bytes, "event: response.output_text.delta"), 1U);
  Control(http::verb::put, "/options", R"({"hold_streams": false})");
  raw = Send(kResponsesPath, kResponsesRequest);
  EXPECT_THAT(raw.bytes, HasSubstr("event: response.completed"));
}

TEST_F(HttpTest, NoticesAClientThatLeavesWhileItWaits) {
  Control(http::verb::put, "/script", R"({"default":{"delay_ms":3600000}})");
  {
    tcp::socket socket = Connect(server_.api_port());
    http::request<http::string_body> request(http::verb::post, kResponsesPath, 11);
    request.body() = kResponsesRequest;
    request.prepare_payload();
    http::write(socket, request);
    while (Control(http::verb::get, "/requests").at("in_flight") == 0) {
    }
  }
  const json::value record = SettledRecord();
  EXPECT_EQ(record.at("client_gone"), true);
  EXPECT_EQ(record.at("completed"), false);
  EXPECT_TRUE(record.at("status").is_null());
}

TEST_F(HttpTest, AnswersExpectContinueAndTakesLargeBodies) {
  tcp::socket socket = Connect(server_.api_port());
  http::request<http::string_body> request(http::verb::post, kResponsesPath, 11);
  request.set(http::field::expect, "100-continue");
  request.body() = fmt::format(R"({{"model":"m","input":"{}"}})", std::string(8'000'000, 'x'));
  request.prepare_payload();
  http::request_serializer<http::string_body> serializer(request);
  http::write_header(socket, serializer);
  boost::beast::flat_buffer buffer;
  http::response<http::empty_body> proceed;
  http::read(socket, buffer, proceed);
  EXPECT_EQ(proceed.result(), http::status::continue_);
  http::write(socket, serializer);
  Response response;
  http::read(socket, buffer, response);
  EXPECT_EQ(response.result_int(), 200U);
  EXPECT_EQ(SettledRecord().at("charge"), 2'000'002);
}

TEST_F(HttpTest, RefusesBodiesOver64MiB) {
  tcp::socket socket = Connect(server_.api_port());
  asio::write(
      socket,
      asio::buffer(std::string("POST /v1/responses HTTP/1.1\r\nHost: simulator\r\nContent-Length: 67108865\r\n\r\n")));
  boost::beast::flat_buffer buffer;
  Response response;
  http::read(socket, buffer, response);
  EXPECT_EQ(response.result_int(), 413U);
}

TEST(Process, PrintsItsAddressesAndEndsOnSigterm) {
  const char* directory = std::getenv("HOLDFAST_BIN_DIR");
  ASSERT_NE(directory, nullptr) << "run this test through ctest";
  std::string program = std::string(directory) + "/upstream_simulator";
  std::array<int, 2> out{};
  ASSERT_EQ(pipe(out.data()), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::array<char*, 2> arguments{program.data(), nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  std::string line;
  for (char c = 0; read(out[0], &c, 1) == 1 && c != '\n';) line += c;
  kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  char rest = 0;
  EXPECT_EQ(read(out[0], &rest, 1), 0) << "more than one line";
  close(out[0]);
  const json::value urls = json::parse(line);
  EXPECT_THAT(std::string(urls.at("url").as_string()), testing::MatchesRegex("http://127.0.0.1:[0-9]+/v1"));
  EXPECT_THAT(std::string(urls.at("control").as_string()), testing::MatchesRegex("http://127.0.0.1:[0-9]+"));
}

}  // namespace
}  // namespace holdfast::simulator
