#include "quota_service/upstream/curl_headers.h"

#include <gmock/gmock.h>

#include <string>

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(CurlHeaders, LowersNamesAndTrimsValues) {
  CurlHeaders headers;
  EXPECT_TRUE(headers.AddLine("HTTP/1.1 200 OK\r\n", 200));
  EXPECT_TRUE(headers.AddLine("X-RateLimit-Limit-Tokens:  200000 \r\n", 200));
  EXPECT_TRUE(headers.AddLine("Set-Cookie: a=b: c\r\n", 200));
  EXPECT_TRUE(headers.AddLine("Empty:\r\n", 200));
  EXPECT_FALSE(headers.complete());
  EXPECT_TRUE(headers.AddLine("\r\n", 200));
  EXPECT_TRUE(headers.complete());
  EXPECT_THAT(headers.headers(),
              ElementsAre(Pair("x-ratelimit-limit-tokens", "200000"), Pair("set-cookie", "a=b: c"), Pair("empty", "")));
}

TEST(CurlHeaders, DropsInterimAnswersAndTrailers) {
  CurlHeaders headers;
  for (const char* line : {"HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n", "\r\n"}) headers.AddLine(line, 103);
  EXPECT_FALSE(headers.complete());
  for (const char* line : {"HTTP/1.1 200 OK\r\n", "Real: y\r\n", "\r\n", "Trailer: z\r\n", "\r\n"})
    headers.AddLine(line, 200);
  EXPECT_THAT(headers.headers(), ElementsAre(Pair("real", "y")));
}

TEST(CurlHeaders, JoinsFoldedLines) {
  CurlHeaders headers;
  for (const char* line : {" nothing before\r\n", "A: b\r\n", "\t c\r\n", " \r\n", "D: e\r\n"})
    headers.AddLine(line, 200);
  EXPECT_FALSE(headers.complete());
  EXPECT_THAT(headers.headers(), ElementsAre(Pair("a", "b c"), Pair("d", "e")));
}

TEST(CurlHeaders, IgnoresLinesThatAreNoHeaders) {
  CurlHeaders headers;
  for (const char* line : {"garbage\r\n", ": no name\r\n", "HTTP/1.1 200 a: b\r\n"})
    EXPECT_TRUE(headers.AddLine(line, 200));
  EXPECT_THAT(headers.headers(), IsEmpty());
}

TEST(CurlHeaders, RefusesMoreBytesThanTheBoundEvenInInterimAnswers) {
  CurlHeaders headers;
  const std::string line = "A: " + std::string(1'000, 'x') + "\r\n";
  size_t lines = 0;
  while (headers.AddLine(line, 103) && headers.AddLine("\r\n", 103)) ++lines;
  EXPECT_TRUE(headers.over_bound());
  EXPECT_LE(lines * line.size(), CurlHeaders::kMostBytes);
  EXPECT_GE((lines + 1) * (line.size() + 2), CurlHeaders::kMostBytes);
}

}  // namespace
}  // namespace holdfast::quota
