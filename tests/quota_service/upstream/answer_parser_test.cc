#include "quota_service/upstream/answer_parser.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class AnswerParserTest : public testing::Test, protected AnswerParser::Sink {
 protected:
  void OnAnswerHead(int http_status, const HttpHeaders& headers) override {
    EXPECT_EQ(status_, 0) << "told twice";
    status_ = http_status;
    headers_ = headers;
  }
  void OnAnswerBody(std::string_view bytes) override { body_.append(bytes); }

  // In pieces of this size.
  absl::Status Feed(std::string_view bytes, size_t size = SIZE_MAX) {
    absl::Status status;
    while (!bytes.empty() && status.ok() && !parser_.done()) {
      status = parser_.Feed(bytes.substr(0, size));
      bytes.remove_prefix(std::min(size, bytes.size()));
    }
    return status;
  }

  int status_ = 0;
  HttpHeaders headers_;
  std::string body_;
  AnswerParser parser_{false, this};
};

class AnswerInPiecesTest : public AnswerParserTest, public testing::WithParamInterface<size_t> {};

TEST_P(AnswerInPiecesTest, ReadsASizedBody) {
  EXPECT_EQ(Feed("HTTP/1.1 429 Too Many Requests\r\nRetry-After:  3 \r\nContent-Length: 5\r\n\r\nhello", GetParam()),
            absl::OkStatus());
  EXPECT_TRUE(parser_.reusable());
  EXPECT_EQ(status_, 429);
  EXPECT_THAT(headers_, ElementsAre(Pair("retry-after", "3"), Pair("content-length", "5")));
  EXPECT_EQ(body_, "hello");
}

TEST_P(AnswerInPiecesTest, ReadsChunksAndDropsTrailers) {
  EXPECT_EQ(Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nb\r\n, world\r\n\r\n\r\n"
                 "0\r\nX-Late: yes\r\n\r\n",
                 GetParam()),
            absl::OkStatus());
  EXPECT_TRUE(parser_.reusable());
  EXPECT_THAT(headers_, ElementsAre(Pair("transfer-encoding", "chunked")));
  EXPECT_EQ(body_, "hello, world\r\n\r\n");
}

TEST_P(AnswerInPiecesTest, DropsInterimAnswers) {
  EXPECT_EQ(Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                 "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
                 GetParam()),
            absl::OkStatus());
  EXPECT_TRUE(parser_.reusable());
  EXPECT_EQ(status_, 204);
  EXPECT_THAT(headers_, ElementsAre(Pair("a", "b")));
}

TEST_P(AnswerInPiecesTest, ReadsABodyThatEndsWithTheConnection) {
  EXPECT_EQ(Feed("HTTP/1.1 200 OK\r\n\r\nhello", GetParam()), absl::OkStatus());
  EXPECT_FALSE(parser_.done());
  EXPECT_EQ(parser_.End(), absl::OkStatus());
  EXPECT_TRUE(parser_.done());
  EXPECT_FALSE(parser_.reusable());
  EXPECT_EQ(body_, "hello");
}

TEST_P(AnswerInPiecesTest, JoinsFoldedHeaders) {
  EXPECT_EQ(Feed("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", GetParam()), absl::OkStatus());
  EXPECT_THAT(headers_, ElementsAre(Pair("a", "b c"), Pair("content-length", "0")));
}

TEST_P(AnswerInPiecesTest, TakesAStatusLineWithoutASpaceBehindItsNumber) {
  EXPECT_EQ(Feed("HTTP/1.1 103\r\nLink: x\r\n\r\nHTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", GetParam()),
            absl::OkStatus());
  EXPECT_TRUE(parser_.reusable());
  EXPECT_EQ(status_, 200);
  EXPECT_THAT(headers_, ElementsAre(Pair("content-length", "5")));
  EXPECT_EQ(body_, "hello");
}

INSTANTIATE_TEST_SUITE_P(, AnswerInPiecesTest, testing::Values(1, 2, 3, 7, 1000));

TEST_F(AnswerParserTest, AnAnswerToHeadHasNoBody) {
  AnswerParser parser(true, this);
  EXPECT_EQ(parser.Feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), absl::OkStatus());
  EXPECT_TRUE(parser.reusable());
}

TEST_F(AnswerParserTest, IsNotReusableWhereItSaysSoOrMoreCame) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                             "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"}) {
    status_ = 0;
    AnswerParser parser(false, this);
    EXPECT_EQ(parser.Feed(answer), absl::OkStatus()) << answer;
    EXPECT_TRUE(parser.done()) << answer;
    EXPECT_FALSE(parser.reusable()) << answer;
  }
}

TEST_F(AnswerParserTest, RefusesWhatIsNoAnswer) {
  for (const char* answer :
       {"\x16\x03\x01 this is no HTTP\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    status_ = 0;
    AnswerParser parser(false, this);
    const absl::Status status = parser.Feed(answer);
    EXPECT_TRUE(absl::IsUnavailable(status)) << answer << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not HTTP/1.1")) << answer;
  }
}

TEST_F(AnswerParserTest, KnowsAnAnswerThatBreaksOff) {
  for (const char* answer : {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
    status_ = 0;
    AnswerParser parser(false, this);
    EXPECT_EQ(parser.Feed(answer), absl::OkStatus()) << answer;
    EXPECT_TRUE(absl::IsUnavailable(parser.End())) << answer;
  }
}

TEST_F(AnswerParserTest, BoundsWhateverHasNoEnd) {
  const std::string endless(2 * kMostAnswerHeaderBytes, 'x');
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(10'000, 'x') + "\r\n\r\n";
  std::string interims;
  while (interims.size() < 2 * kMostAnswerHeaderBytes) interims += interim;
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& answer : {"HTTP/1.1 200 " + endless, "HTTP/1.1 200 OK\r\nA: " + endless, interims,
                                    chunked + "5;" + endless, chunked + "0\r\nA: " + endless}) {
    status_ = 0;
    AnswerParser parser(false, this);
    absl::Status status;
    for (size_t at = 0; at < answer.size() && status.ok(); at += 4096) status = parser.Feed(answer.substr(at, 4096));
    EXPECT_TRUE(absl::IsUnavailable(status)) << answer.substr(0, 80) << status;
  }
}

TEST_F(AnswerParserTest, BoundsAllHeadersTogetherHoweverTheyAreCutIntoPieces) {
  for (const std::string& line :
       {"X-Bomb: " + std::string(1'000, 'x') + "\r\n", "A:" + std::string(1'000, ' ') + "\r\n"}) {
    // Each piece ends shortly after the beginning of a line.
    const std::string piece = line.substr(1) + line.substr(0, 1);
    status_ = 0;
    AnswerParser parser(false, this);
    absl::Status status = parser.Feed("HTTP/1.1 200 OK\r\n" + line.substr(0, 1));
    size_t fed = 0;
    while (status.ok() && fed < 4 * kMostAnswerHeaderBytes) {
      status = parser.Feed(piece);
      fed += piece.size();
    }
    EXPECT_THAT(std::string(status.message()), HasSubstr("larger than 262144 bytes")) << line.substr(0, 10);
    EXPECT_LT(fed, kMostAnswerHeaderBytes + 2 * line.size());
    EXPECT_GT(fed, kMostAnswerHeaderBytes - 2 * line.size());
  }
}

TEST_F(AnswerParserTest, ABodyIsNoHeader) {
  EXPECT_EQ(Feed("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'), 1'000),
            absl::OkStatus());
  EXPECT_EQ(body_.size(), 1'000'000u);
}

}  // namespace
}  // namespace holdfast::quota
