#include "quota_service/upstream/http_client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "tests/quota_service/upstream/client_test_base.h"
#include "tests/quota_service/upstream/recording_listener.h"
#include "tests/quota_service/upstream/scripted_server.h"

namespace holdfast::quota {
namespace {

using testing::StartsWith;

// What the plain client leaves to libcurl, as the server sees it.
class HttpClientTest : public ClientTestBase {
 protected:
  HttpClientTest() {
    server_.on_request = [](auto& connection) { connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); };
  }
  ~HttpClientTest() override { unsetenv("http_proxy"); }

  std::string RequestOf(UpstreamRequest request) {
    HttpClient client(context_);
    RecordingListener listener;
    const auto exchange = client.Start(std::move(request), &listener);
    RunUntil([&] { return listener.done.has_value(); });
    EXPECT_EQ(*listener.done, absl::OkStatus());
    EXPECT_EQ(listener.body, "ok");
    return server_.requests().empty() ? "" : server_.requests().back();
  }

  ScriptedServer server_{context_};
};

TEST_F(HttpClientTest, GoesThroughAProxyWhereOneIsSet) {
  setenv("http_proxy", fmt::format("http://127.0.0.1:{}", server_.port()).c_str(), 1);
  unsetenv("no_proxy");
  EXPECT_THAT(RequestOf(Post("http://upstream.invalid:8000/v1/responses")),
              StartsWith("POST http://upstream.invalid:8000/v1/responses HTTP/1.1\r\n"));
}

TEST_F(HttpClientTest, GoesAroundTheProxyWhereItIsToldTo) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_THAT(RequestOf(Post(server_.Url("/v1/responses"))), StartsWith("POST /v1/responses HTTP/1.1\r\n"));
}

TEST_F(HttpClientTest, TakesAnUnusualUrlToo) {
  EXPECT_THAT(RequestOf(Post(server_.Url("/v1/../v2/responses"))), StartsWith("POST /v2/responses HTTP/1.1\r\n"));
}

TEST_F(HttpClientTest, AHeaderThatFramesTheRequestIsNotSentTwice) {
  UpstreamRequest request = Post(server_.Url(), "{}");
  request.headers.emplace_back("Host", "elsewhere");
  const std::string sent = RequestOf(std::move(request));
  EXPECT_THAT(sent, testing::HasSubstr("Host: elsewhere\r\n"));
  EXPECT_EQ(sent.find("Host:"), sent.rfind("Host:"));
}

}  // namespace
}  // namespace holdfast::quota
