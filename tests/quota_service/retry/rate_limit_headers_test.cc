#include "quota_service/retry/rate_limit_headers.h"

#include <gmock/gmock.h>

#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Eq;
using testing::Optional;

class RateLimitHeadersTest : public testing::Test {
 protected:
  RateLimitHeaders Parse(const HttpHeaders& headers) const { return ParseRateLimitHeaders(headers, wall_now_); }

  const WallTime wall_now_ = *ParseHttpDate("Sat, 14 Mar 2026 15:09:26 GMT");
};

TEST_F(RateLimitHeadersTest, ReadsBothDimensions) {
  const RateLimitHeaders read = Parse({{"content-type", "application/json"},
                                       {"x-ratelimit-limit-requests", "500"},
                                       {"x-ratelimit-remaining-requests", "499"},
                                       {"x-ratelimit-reset-requests", "120ms"},
                                       {"x-ratelimit-limit-tokens", "200000"},
                                       {"x-ratelimit-remaining-tokens", " 149984 "},
                                       {"x-ratelimit-reset-tokens", "6m0s"}});
  EXPECT_THAT(read.requests.limit, Optional(500));
  EXPECT_THAT(read.requests.remaining, Optional(499));
  EXPECT_THAT(read.requests.reset, Optional(Eq(milliseconds(120))));
  EXPECT_THAT(read.tokens.limit, Optional(200'000));
  EXPECT_THAT(read.tokens.remaining, Optional(149'984));
  EXPECT_THAT(read.tokens.reset, Optional(Eq(minutes(6))));
  EXPECT_EQ(read.retry_after, std::nullopt);
}

TEST_F(RateLimitHeadersTest, IsEmptyWhereNothingIsSaid) {
  EXPECT_TRUE(Parse({}).empty());
  EXPECT_TRUE(Parse({{"content-type", "text/event-stream"}}).empty());
}

TEST_F(RateLimitHeadersTest, TakesMinusOneAndNonsenseAsUnknown) {
  for (const char* value : {"-1", "", "many", "1.5", "12x", "99999999999999999999", "1e5", "9000000000000000"}) {
    EXPECT_TRUE(Parse({{"x-ratelimit-limit-tokens", value}, {"x-ratelimit-remaining-tokens", value}}).empty()) << value;
  }
}

TEST_F(RateLimitHeadersTest, TakesALimitOfZeroAndTheRemainingBesideItAsUnknown) {
  EXPECT_TRUE(Parse({{"x-ratelimit-limit-tokens", "0"}, {"x-ratelimit-remaining-tokens", "0"}}).empty());
  EXPECT_TRUE(Parse({{"x-ratelimit-remaining-requests", "0"}}).empty());
}

TEST_F(RateLimitHeadersTest, KeepsARemainingOfZeroOfAKnownLimit) {
  const RateLimitHeaders read = Parse({{"x-ratelimit-limit-tokens", "100"}, {"x-ratelimit-remaining-tokens", "0"}});
  EXPECT_THAT(read.tokens.remaining, Optional(0));
}

TEST_F(RateLimitHeadersTest, TakesTheProjectsLimitWhereItHasLessRoom) {
  HttpHeaders headers = {{"x-ratelimit-limit-tokens", "200000"},
                         {"x-ratelimit-remaining-tokens", "1000"},
                         {"x-ratelimit-limit-project-tokens", "50000"},
                         {"x-ratelimit-remaining-project-tokens", "900"},
                         {"x-ratelimit-reset-project-tokens", "3s"}};
  EXPECT_THAT(Parse(headers).tokens.limit, Optional(50'000));
  EXPECT_THAT(Parse(headers).tokens.remaining, Optional(900));
  EXPECT_THAT(Parse(headers).tokens.reset, Optional(Eq(seconds(3))));
  headers[3].second = "1001";
  EXPECT_THAT(Parse(headers).tokens.limit, Optional(200'000));
  EXPECT_THAT(Parse(headers).tokens.remaining, Optional(1'000));
}

TEST_F(RateLimitHeadersTest, PrefersMillisecondsToTheirRoundedForm) {
  const RateLimitHeaders read = Parse({{"retry-after", "4"}, {"retry-after-ms", "3646"}});
  EXPECT_THAT(read.retry_after, Optional(Eq(milliseconds(3646))));
}

TEST_F(RateLimitHeadersTest, FallsBackToRetryAfterWhereTheMillisecondsAreNonsense) {
  for (const char* value : {"-1", "soon", "", "99999999999999", "5s"}) {
    EXPECT_THAT(Parse({{"retry-after-ms", value}, {"retry-after", "4"}}).retry_after, Optional(Eq(seconds(4))))
        << value;
  }
}

TEST_F(RateLimitHeadersTest, ReadsADateAgainstTheAnswersOwnClock) {
  const HttpHeaders headers = {{"date", "Sat, 14 Mar 2026 12:00:00 GMT"},
                               {"retry-after", "Sat, 14 Mar 2026 12:00:30 GMT"}};
  EXPECT_THAT(Parse(headers).retry_after, Optional(Eq(seconds(30))));
}

TEST_F(RateLimitHeadersTest, ReadsADateAgainstTheWallClockWhereTheAnswerHasNoneOrANonsensicalOne) {
  const std::pair<std::string, std::string> retry = {"retry-after", "Sat, 14 Mar 2026 15:09:36 GMT"};
  EXPECT_THAT(Parse({retry}).retry_after, Optional(Eq(seconds(10))));
  EXPECT_THAT(Parse({{"date", "yesterday"}, retry}).retry_after, Optional(Eq(seconds(10))));
}

class AnthropicHeaders : public RateLimitHeadersTest {};

TEST_F(AnthropicHeaders, InputAndOutputAreLimitsOfTheirOwn) {
  const RateLimitHeaders read = Parse({{"date", "Sat, 14 Mar 2026 15:09:26 GMT"},
                                       {"anthropic-ratelimit-requests-limit", "50"},
                                       {"anthropic-ratelimit-requests-remaining", "49"},
                                       {"anthropic-ratelimit-requests-reset", "2026-03-14T15:09:27Z"},
                                       {"anthropic-ratelimit-tokens-limit", "8000"},
                                       {"anthropic-ratelimit-tokens-remaining", "8000"},
                                       {"anthropic-ratelimit-input-tokens-limit", "40000"},
                                       {"anthropic-ratelimit-input-tokens-remaining", "20000"},
                                       {"anthropic-ratelimit-input-tokens-reset", "2026-03-14T15:09:56Z"},
                                       {"anthropic-ratelimit-output-tokens-limit", "8000"},
                                       {"anthropic-ratelimit-output-tokens-remaining", "8000"}});
  EXPECT_TRUE(read.tokens.empty()) << "they are whichever of the others is the tightest";
  EXPECT_THAT(read.input_tokens.limit, Optional(40'000));
  EXPECT_THAT(read.input_tokens.remaining, Optional(20'000));
  EXPECT_THAT(read.input_tokens.reset, Optional(Eq(seconds(30))));
  EXPECT_THAT(read.output_tokens.limit, Optional(8'000));
  EXPECT_THAT(read.requests.limit, Optional(50));
  EXPECT_THAT(read.requests.remaining, Optional(49));
  EXPECT_EQ(read.requests.reset, std::nullopt) << "a second, rounded, says nothing of the window";
}

TEST_F(AnthropicHeaders, TokensAloneAreTheTokens) {
  const RateLimitHeaders read =
      Parse({{"anthropic-ratelimit-tokens-limit", "30000"}, {"anthropic-ratelimit-tokens-remaining", "1000"}});
  EXPECT_THAT(read.tokens.limit, Optional(30'000));
  EXPECT_THAT(read.tokens.remaining, Optional(1'000));
}

TEST_F(AnthropicHeaders, NonsenseIsUnknown) {
  for (const char* value : {"-1", "0", "NaN", "1e30", "", "infinity", "0x10"}) {
    EXPECT_TRUE(Parse({{"anthropic-ratelimit-tokens-limit", value},
                       {"anthropic-ratelimit-tokens-remaining", value},
                       {"anthropic-ratelimit-requests-limit", value},
                       {"anthropic-ratelimit-tokens-reset", value}})
                    .empty())
        << value;
  }
}

}  // namespace
}  // namespace holdfast::quota
