// What PlainClient alone promises.
#include "quota_service/upstream/plain_client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "tests/quota_service/upstream/client_test_base.h"
#include "tests/quota_service/upstream/recording_listener.h"
#include "tests/quota_service/upstream/scripted_server.h"

namespace holdfast::quota {
namespace {

std::string Answer(const std::string& body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

class PlainClientTest : public ClientTestBase {
 protected:
  ScriptedServer server_{context_};
  PlainClient client_{context_};
};

TEST_F(PlainClientTest, WhatCameAfterAnAnswerIsNotTheNextOne) {
  // Where one read takes all of the answer and nothing more, whatever it asks for: 1, 2, 4 KiB, and so on.
  for (size_t bytes = 1024; bytes <= 65536; bytes *= 2) {
    ScriptedServer server(context_);
    const std::string head = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes);
    const std::string first = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {:0{}}\r\n\r\n", bytes - head.size(),
                                          fmt::format("{}", bytes).size()) +
                              std::string(bytes - head.size(), 'x');
    ASSERT_EQ(first.size(), bytes);
    server.on_request = [&](auto& connection) {
      connection.Send(server.requests().size() == 1 ? first + Answer("of nobody") : Answer("second"));
    };
    RecordingListener one, two;
    std::unique_ptr<UpstreamExchange> second;
    one.on_done = [&] { second = client_.Start(Post(server.Url()), &two); };
    const auto exchange = client_.Start(Post(server.Url()), &one);
    RunUntil([&] { return two.done.has_value(); });
    EXPECT_EQ(*two.done, absl::OkStatus());
    EXPECT_EQ(two.body, "second") << bytes;
  }
}

TEST_F(PlainClientTest, WhatAnIdleConnectionSaidIsNoAnswer) {
  server_.on_request = [this](auto& connection) {
    connection.Send(Answer(server_.requests().size() == 1 ? "first" : "second"));
  };
  RecordingListener first, second;
  auto exchange = client_.Start(Post(server_.Url()), &first);
  RunUntil([&] { return first.done.has_value(); });
  // It is there, and the loop has not looked yet.
  server_.connection().Send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  exchange = client_.Start(Post(server_.Url()), &second);
  RunUntil([&] { return second.done.has_value(); });
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, "second");
  EXPECT_EQ(server_.accepted(), 2);
}

TEST_F(PlainClientTest, KnowsThatARequestHasGoneOutThoughItCouldNotBeSentAgain) {
  server_.on_request = [this](auto& connection) {
    if (server_.requests().size() == 1) {
      connection.Send(Answer("ok"));
    } else {
      server_.StopListening();
      connection.Reset();
    }
  };
  RecordingListener first, second;
  auto exchange = client_.Start(Post(server_.Url()), &first);
  RunUntil([&] { return first.done.has_value(); });
  exchange = client_.Start(Post(server_.Url()), &second);
  RunUntil([&] { return second.done.has_value(); });
  EXPECT_EQ(server_.requests().size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(*second.done)) << *second.done;
  EXPECT_TRUE(exchange->sent());
}

TEST_F(PlainClientTest, DoesNotSendAgainWhatAServerHasHadForAWhile) {
  PlainClient client(context_, {.resend_within = Duration::zero()});
  server_.on_request = [this](auto& connection) {
    if (server_.requests().size() == 2) {
      connection.Reset();
    } else {
      connection.Send(Answer("ok"));
    }
  };
  RecordingListener first, second;
  auto exchange = client.Start(Post(server_.Url()), &first);
  RunUntil([&] { return first.done.has_value(); });
  exchange = client.Start(Post(server_.Url()), &second);
  RunUntil([&] { return second.done.has_value(); });
  EXPECT_TRUE(absl::IsUnavailable(*second.done)) << *second.done;
  EXPECT_TRUE(exchange->sent());
  EXPECT_EQ(server_.requests().size(), 2u);
}

}  // namespace
}  // namespace holdfast::quota
