#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "tests/quota_service/frontdoor/http_session.h"
#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/http_call.h"
#include "tests/support/packed_body.h"

namespace holdfast::quota {
namespace {

using test::Gzipped;
using test::HttpSession;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kPlain[] = R"({"model":"m","input":"Hello"})";

// Clients that are wrong, or mean it.
class HostileClientsTest : public QuotaServerTestBase {
 protected:
  void SetUp() override {
    config_.frontdoor.max_body = 100'000;
    StartServer();
  }
  std::string Raw(const std::string& bytes) const {
    HttpSession session(server_->http());
    session.Send(bytes);
    return session.ReadAll();
  }
  std::string Post(const std::string& body, const std::string& headers) const {
    HttpSession session(server_->http());
    session.Post("/v1/responses", body, headers + "Connection: close\r\n");
    return session.ReadAll();
  }
  void TearDown() override {
    EXPECT_EQ(test::HttpCall("GET", HttpUrl("/healthz"))->status, 200) << "nothing else suffers";
  }
};

TEST_F(HostileClientsTest, WhatTwoReadersCouldReadDifferentlyIsRefused) {
  const std::string inner = "POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nxxxxx";
  for (const std::string headers :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 6\r\n", "Content-Length: -1\r\n",
        "Content-Length: +5\r\n", "Content-Length: 5x\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Host: other\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"}) {
    const std::string answer =
        Raw(std::string("POST /v1/responses HTTP/1.1\r\nHost: h\r\n") + headers + "\r\n0\r\n\r\n" + inner);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << headers;
    EXPECT_EQ(answer.find("HTTP/1.1 ", 5), std::string::npos)
        << "and nothing after it is taken for a request: " << headers;
  }
  EXPECT_THAT(Raw("POST /v1/responses HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(HostileClientsTest, ChunksThatAreNoneAreRefused) {
  for (const char* chunks : {"x\r\n", "-1\r\n", "ffffffffffffffffff\r\n"}) {
    EXPECT_THAT(
        Raw(std::string("POST /v1/responses HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n") + chunks),
        StartsWith("HTTP/1.1 400 "))
        << chunks;
  }
}

TEST_F(HostileClientsTest, SizesAreBounded) {
  EXPECT_THAT(Raw("POST /v1/responses HTTP/1.1\r\nHost: h\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Raw("POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("frontdoor.max_body")));
  std::string chunked = "POST /v1/responses HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunked += "2710\r\n" + std::string(10'000, ' ') + "\r\n";
  EXPECT_THAT(Raw(chunked), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Post(Gzipped(std::string(200'000, ' ')), "Content-Encoding: gzip\r\n"), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(HostileClientsTest, PackedBodiesAreUnpacked) {
  for (const auto& [encoding, body] : {std::pair("gzip", Gzipped(kPlain)), std::pair("zstd", test::Zstd(kPlain))}) {
    EXPECT_THAT(Post(body, fmt::format("Content-Encoding: {}\r\n", encoding)),
                AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"status\":\"completed\"")))
        << encoding;
  }
  EXPECT_EQ(test::HttpCall("GET", upstream().url() + "/requests/1/body")->body, kPlain);
  EXPECT_THAT(Post("no gzip at all", "Content-Encoding: gzip\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Post(kPlain, "Content-Encoding: br\r\n"), AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("zstd")));
}

TEST_F(HostileClientsTest, ABodyMayComeInChunksAndAfterAnInvitation) {
  EXPECT_THAT(Raw(fmt::format("POST /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                              sizeof(kPlain) - 1, kPlain)),
              StartsWith("HTTP/1.1 200 "));
  HttpSession session(server_->http());
  session.Send(
      fmt::format("POST /v1/responses HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                  sizeof(kPlain) - 1));
  EXPECT_EQ(session.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  session.Send(kPlain);
  EXPECT_THAT(session.ReadUntil("completed"), HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(Raw("POST /v1/nothing/../x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "))
      << "who is refused is not invited";
}

TEST_F(HostileClientsTest, HundredsOfIdleConnectionsHurtNobody) {
  std::vector<std::unique_ptr<HttpSession>> idle;
  for (int i = 0; i < 400; ++i) idle.push_back(std::make_unique<HttpSession>(server_->http()));
  for (size_t i = 0; i < idle.size(); i += 2) idle[i]->Send("POST /v1/responses HTTP/1.1\r\nHo");
  EXPECT_THAT(Post(kPlain, ""), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace holdfast::quota
