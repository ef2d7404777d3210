#include "common/http/request_parser.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>

namespace holdfast {
namespace {

namespace asio = boost::asio;
using boost::beast::http::error;

// Feeds `text` again and again until the parser refuses; the bytes that it took. As a connection does, it keeps what
// the parser leaves.
size_t FeedUntilRefused(RequestParser& parser, std::string_view text, size_t most, boost::beast::error_code& failed) {
  size_t taken = 0;
  std::string rest;
  while (taken < most) {
    rest += text;
    const size_t bytes = parser.put(asio::buffer(rest), failed);
    rest.erase(0, bytes);
    taken += bytes;
    if (failed && failed != error::need_more) return taken;
  }
  return taken;
}

TEST(RequestParser, HeadersAreBoundedHoweverTheyArePacked) {
  for (const std::string_view piece : {"a: b\r\n", "\r\na: b", "\nlonger-name: and a value\r"}) {
    HttpRequest request;
    RequestParser parser(&request, 32 * 1024, 1'000);
    boost::beast::error_code failed;
    parser.put(asio::buffer(std::string_view("GET / HTTP/1.1\r\nhost: h")), failed);
    EXPECT_LE(FeedUntilRefused(parser, piece, 1'000'000, failed), 64 * 1024U) << piece;
    EXPECT_EQ(failed, error::header_limit) << piece << failed.message();
  }
}

TEST(RequestParser, TrailersAreBoundedToo) {
  HttpRequest request;
  RequestParser parser(&request, 32 * 1024, 1'000);
  boost::beast::error_code failed;
  std::string_view head = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
  parser.put(asio::buffer(head), failed);
  ASSERT_FALSE(failed) << failed.message();
  std::string rest = "0\r\n";
  size_t fed = 0;
  while (fed < 1'000'000 && (!failed || failed == error::need_more)) {
    rest += "a: b\r\n";
    fed += 6;
    rest.erase(0, parser.put(asio::buffer(rest), failed));
    if (rest.size() > 64 * 1024) break;  // the connection refuses what has no end
  }
  EXPECT_LE(fed, 80 * 1024U);
}

TEST(RequestParser, AHeadWithTwoReadingsIsNamed) {
  const auto wrong = [](int version, HttpHeaderList headers) {
    HttpRequest head;
    head.headers = std::move(headers);
    return WrongWithHead(version, head);
  };
  EXPECT_EQ(wrong(11, {{"host", "h"}, {"x", "1"}, {"x", "2"}, {"transfer-encoding", "Chunked"}}), "");
  EXPECT_EQ(wrong(10, {{"content-length", "1"}}), "");
  EXPECT_EQ(wrong(11, {{"host", "h"}, {"x", "1"}, {"host", "h"}}), "host: is there twice");
  EXPECT_NE(wrong(11, {{"transfer-encoding", "gzip, chunked"}}), "");
  EXPECT_NE(wrong(10, {{"transfer-encoding", "chunked"}}), "");
}

}  // namespace
}  // namespace holdfast
