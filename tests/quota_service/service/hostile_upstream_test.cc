// An upstream that answers with whatever hurts: quota_service stays within its bounds, tells its caller what is wrong,
// and takes the key nowhere else.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/quota_service/call/stream_text.h"
#include "tests/quota_service/service/hostile_server.h"
#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using Connection = HostileServer::Connection;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr size_t kMiB = size_t{1} << 20;

// An answer whose end is the end of the connection.
std::string Head(const std::string& status, const std::string& content_type, const std::string& headers = "") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nConnection: close\r\n{}\r\n", status, content_type, headers);
}
std::string StreamHead(const std::string& headers = "") { return Head("200 OK", "text/event-stream", headers); }

class HostileUpstream : public QuotaServerTestBase {
 protected:
  // quota_service before a server that answers like that.
  void Start(std::function<void(Connection&)> answer) {
    hostile_ = std::make_unique<HostileServer>(std::move(answer));
    config_.upstreams[0].account.base_url = hostile_->base_url();
    StartServer();
  }
  Generation Ask(const std::string& call_id = "c1") {
    v1::GenerateRequest request = Request(call_id);
    request.mutable_max_wait()->set_seconds(2);
    return Generate(request);
  }

  StreamText stream_{Wire::kTypedResponses};
  std::unique_ptr<HostileServer> hostile_;
};

TEST_F(HostileUpstream, AnEventWithoutAnEndIsCutOffAtItsBoundAndNotAskedForAgain) {
  Start([](Connection& connection) {
    connection.Send(StreamHead() + "data: ");
    connection.SendForEver(std::string(kMiB, 'x'));
  });
  const grpc::Status status = Ask().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim"), HasSubstr("larger than")));
  EXPECT_EQ(hostile_->connections(), 1);
  EXPECT_LT(hostile_->sent(), 64 * kMiB) << "16 MiB, and what the kernel holds";
}

TEST_F(HostileUpstream, AnEventOfTenMegabytesIsAnEvent) {
  const std::string text(10'000'000, 'x');
  Start([&](Connection& connection) { connection.Send(StreamHead() + stream_.Answer(text)); });
  const Generation generation = Ask();
  ASSERT_TRUE(generation.status.ok()) << generation.status.error_message();
  EXPECT_EQ(generation.text(), text);
}

TEST_F(HostileUpstream, AnAnswerWithoutAnEndIsCutOffAtItsBound) {
  Start([this](Connection& connection) {
    connection.Send(StreamHead() + stream_.Started());
    connection.SendForEver(stream_.Delta(std::string(kMiB, 'x')));
  });
  const grpc::Status status = Ask().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("128 MiB"));
  EXPECT_EQ(hostile_->connections(), 1);
  EXPECT_LT(hostile_->sent(), 192 * kMiB);
}

TEST_F(HostileUpstream, AnErrorWithoutAnEndIsReadAsFarAsNeeded) {
  Start([](Connection& connection) {
    connection.Send(Head("400 Bad Request", "application/json"));
    connection.SendForEver(std::string(kMiB, '{'));
  });
  EXPECT_EQ(Ask().status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(hostile_->connections(), 1);
  EXPECT_LT(hostile_->sent(), 64 * kMiB);
}

TEST_F(HostileUpstream, HeadersWithoutAnEndAreATransportFault) {
  Start([](Connection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\n");
    connection.SendForEver("X-Bomb: " + std::string(1000, 'x') + "\r\n");
  });
  const grpc::Status status = Ask().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(status).retry_delay.has_value());
  EXPECT_THAT(status.error_message(), HasSubstr("headers are larger than"));
}

TEST_F(HostileUpstream, AThousandHeadersOfNonsenseStopNobody) {
  std::string headers;
  for (const char* value : {"-1", "0", "NaN", "1e30", "-5", "", "9223372036854775808", "\xff\xfe", "1970-01-01"}) {
    for (const char* name :
         {"retry-after", "retry-after-ms", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
          "x-ratelimit-reset-tokens", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
          "x-ratelimit-reset-requests", "x-ratelimit-remaining-project-tokens", "anthropic-ratelimit-tokens-limit",
          "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", "date"}) {
      headers += fmt::format("{}: {}\r\n", name, value);
    }
  }
  for (int i = 0; i < 1000; ++i) headers += fmt::format("x-nonsense-{}: {}\r\n", i, std::string(100, 'n'));
  Start([&](Connection& connection) { connection.Send(StreamHead(headers) + stream_.Answer("hello")); });
  for (const char* call_id : {"c1", "c2", "c3"}) {
    const Generation generation = Ask(call_id);
    ASSERT_TRUE(generation.status.ok()) << generation.status.error_message();
    EXPECT_EQ(generation.text(), "hello");
    EXPECT_EQ(generation.Count(v1::GenerateEvent::kWait), 0);
  }
}

TEST_F(HostileUpstream, AnotherContentTypeWith200IsTriedThreeTimesAndNamed) {
  Start([](Connection& connection) { connection.Send(Head("200 OK", "text/html") + "<html>Please log in</html>"); });
  const grpc::Status status = Ask().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("upstream sim"), HasSubstr("text/html")));
  EXPECT_TRUE(DetailsOf(status).empty());
  EXPECT_EQ(hostile_->connections(), 3);
}

TEST_F(HostileUpstream, ARedirectIsNeverFollowedAndTheKeyStaysWhereItBelongs) {
  HostileServer elsewhere([this](Connection& connection) { connection.Send(StreamHead() + stream_.Answer("caught")); });
  for (const char* code : {"301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"}) {
    SCOPED_TRACE(code);
    Start([&](Connection& connection) {
      connection.Send(Head(code, "text/plain", fmt::format("Location: {}/responses\r\n", elsewhere.base_url())));
    });
    const grpc::Status status = Ask().status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), AllOf(HasSubstr("base_url"), Not(HasSubstr(elsewhere.base_url()))));
    EXPECT_EQ(hostile_->connections(), 1);
    EXPECT_THAT(hostile_->requests(), Each(HasSubstr(kApiKey)));
    StopServer();
  }
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(HostileUpstream, GarbageInAnEventAndInPlaceOfHttpIsTriedAgainUntilMaxWait) {
  const std::string garbage[] = {
      StreamHead() + std::string("data: \0\xff\xfe\x01\n\n", 12),
      StreamHead() + "data: {\"type\":\"response.comple\n\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00 no HTTP", 15),
      "",
  };
  for (const std::string& bytes : garbage) {
    SCOPED_TRACE(bytes);
    Start([&](Connection& connection) { connection.Send(bytes); });
    const grpc::Status status = Ask().status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_TRUE(DetailsOf(status).retry_delay.has_value());
    EXPECT_GT(hostile_->connections(), 1);
    StopServer();
  }
}

}  // namespace
}  // namespace holdfast::quota
