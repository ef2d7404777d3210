#include "quota_service/provider/error_class.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "common/base/utf8.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string OpenAiRefusal(const std::string& words, const std::string& type = "tokens") {
  return R"({"error":{"message":")" + words + R"(","type":")" + type +
         R"(","param":null,"code":"rate_limit_exceeded"}})";
}

TEST(ErrorClass, TheIncidentsRefusalGivesItsWholeBucket) {
  const UpstreamFailure failure = ClassifyErrorResponse(
      429, {},
      OpenAiRefusal(
          "Rate limit reached for o4-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 160193, "
          "Requested 51963. Please try again in 3.646s."),
      WallTime{});
  EXPECT_EQ(failure.cls, FailureClass::kRateLimited);
  EXPECT_EQ(failure.hint.retry_after, Duration(milliseconds(3646)));
  EXPECT_EQ(failure.hint.dimension, Dimension::kTokens);
  EXPECT_EQ(failure.hint.limit, 200000);
  EXPECT_EQ(failure.hint.used, 160193);
  EXPECT_EQ(failure.hint.requested, 51963);
}

TEST(ErrorClass, TheLongerOfTheDelaysCounts) {
  const std::string body = OpenAiRefusal("Rate limit reached. Please try again in 3.646s.");
  EXPECT_EQ(ClassifyErrorResponse(429, {{"retry-after", "9"}}, body, WallTime{}).hint.retry_after,
            Duration(seconds(9)));
  EXPECT_EQ(ClassifyErrorResponse(429, {{"retry-after", "1"}}, body, WallTime{}).hint.retry_after,
            Duration(milliseconds(3646)));
}

TEST(ErrorClass, TheProvidersOrderSaysWhichDelayCounts) {
  const auto delay = [](HintOrder order, HttpHeaders headers, const std::string& words) {
    return ClassifyErrorResponse(429, headers, OpenAiRefusal(words), WallTime{}, order).hint.retry_after;
  };
  const HttpHeaders headers = {{"retry-after", "4"}};
  const std::string words = "Rate limit reached. Please try again in 3.646s.";
  EXPECT_EQ(delay(HintOrder::kBody, headers, words), Duration(milliseconds(3646)));
  EXPECT_EQ(delay(HintOrder::kBody, headers, "Rate limit reached."), Duration(seconds(4)));
  const std::string day = "Please retry after 86400 seconds.";
  EXPECT_EQ(delay(HintOrder::kHeaders, {{"retry-after", "46"}, {"retry-after-ms", "45250"}}, day),
            Duration(milliseconds(45250)));
  EXPECT_EQ(delay(HintOrder::kHeaders, {}, day), Duration(seconds(86400)));
}

TEST(ErrorClass, GooglesRetryInfoIsADelay) {
  const char* body =
      R"({"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED","details":[7,null,{"retryDelay":"45.5s"}]}})";
  EXPECT_EQ(ClassifyErrorResponse(429, {}, body, WallTime{}).hint.retry_after, Duration(milliseconds(45500)));
}

TEST(ErrorClass, OverloadedKeepsItsRetryAfter) {
  const UpstreamFailure failure = ClassifyErrorResponse(503, {{"retry-after", "30"}}, "", WallTime{});
  EXPECT_EQ(failure.cls, FailureClass::kOverloaded);
  EXPECT_EQ(failure.hint.retry_after, Duration(seconds(30)));
}

TEST(ErrorClass, TheTypeNamesTheDimensionWhereTheWordsDoNot) {
  EXPECT_EQ(ClassifyErrorResponse(429, {}, OpenAiRefusal("Slow down.", "requests"), WallTime{}).hint.dimension,
            Dimension::kRequests);
  EXPECT_EQ(ClassifyErrorResponse(429, {}, OpenAiRefusal("Slow down.", "tokens"), WallTime{}).hint.dimension,
            Dimension::kTokens);
}

TEST(ErrorClass, HeadersFillInLimitAndUseOfTheEmptyDimension) {
  const HttpHeaders headers{{"x-ratelimit-limit-requests", "500"},
                            {"x-ratelimit-remaining-requests", "0"},
                            {"x-ratelimit-limit-tokens", "200000"},
                            {"x-ratelimit-remaining-tokens", "150000"}};
  const ServerHint hint = ClassifyErrorResponse(429, headers, "Too Many Requests", WallTime{}).hint;
  EXPECT_EQ(hint.dimension, Dimension::kRequests);
  EXPECT_EQ(hint.limit, 500);
  EXPECT_EQ(hint.used, 500);
}

TEST(ErrorClass, ARequestAboveTheLimitIsTooLargeWhateverTheWordsAreAndHasNoDelay) {
  const UpstreamFailure failure = ClassifyErrorResponse(
      429, {{"retry-after", "3"}},
      OpenAiRefusal(
          "Rate limit reached on tokens per min (TPM): Limit 30000, Used 0, Requested 51963. Please try again in 43s."),
      WallTime{});
  EXPECT_EQ(failure.cls, FailureClass::kTooLarge);
  EXPECT_EQ(failure.hint.limit, 30000);
  EXPECT_EQ(failure.hint.requested, 51963);
  EXPECT_FALSE(failure.hint.retry_after);
}

TEST(ErrorClass, RateLimitHeadersDoNotSayWhenExhaustedQuotaReturns) {
  const UpstreamFailure failure = ClassifyErrorResponse(
      429, {{"retry-after", "1"}}, R"({"error":{"code":"insufficient_quota","message":"gone"}})", WallTime{});
  EXPECT_EQ(failure.cls, FailureClass::kQuotaExhausted);
  EXPECT_FALSE(failure.hint.retry_after);
}

TEST(ErrorClass, ARefusedKeyHasNoHint) {
  const UpstreamFailure failure = ClassifyErrorResponse(401, {{"retry-after", "1"}},
                                                        R"({"error":{"message":"retry after 5 seconds"}})", WallTime{});
  EXPECT_FALSE(failure.hint.retry_after);
}

TEST(ErrorClass, ARedirectNamesTheRemedyAndNotItsTarget) {
  const UpstreamFailure failure =
      ClassifyErrorResponse(307, {{"location", "https://evil.example/?key=1"}}, "moved to evil.example", WallTime{});
  EXPECT_EQ(failure.message, "HTTP 307: redirects are not followed; set base_url to the final address");
}

TEST(ErrorClass, AMessageNeverShowsTheKey) {
  const UpstreamFailure failure = ClassifyErrorResponse(
      401, {},
      R"({"error":{"message":"Incorrect API key provided: sk-proj-AbCdEf0123456789.","code":"sk-proj-AbCdEf0123456789"}})",
      WallTime{});
  EXPECT_EQ(failure.message.find("AbCdEf"), std::string::npos) << failure.message;
  EXPECT_EQ(failure.code.find("AbCdEf"), std::string::npos) << failure.code;
}

TEST(ErrorClass, OpenRoutersWrappedWordsAreHeard) {
  const UpstreamFailure failure = ClassifyErrorResponse(
      429, {},
      R"({"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"Please try again in 20s"}}})",
      WallTime{});
  EXPECT_EQ(failure.message, "Provider returned error: Please try again in 20s");
  EXPECT_EQ(failure.hint.retry_after, Duration(seconds(20)));
}

TEST(ErrorClass, HostileBodiesHurtNobody) {
  const std::string deep(1 << 20, '[');
  std::string deep_object;
  for (int i = 0; i < 1000; ++i) deep_object += R"({"error":)";
  const std::string bodies[] = {"null",
                                "[]",
                                "[[]]",
                                "{}",
                                "7",
                                "\"x\"",
                                "[null]",
                                R"({"error":null})",
                                R"({"error":[]})",
                                R"({"error":{"message":{"a":1},"type":[],"code":{},"details":{"violations":7}}})",
                                deep,
                                deep_object,
                                std::string(10 << 20, 'x'),
                                std::string(10 << 20, ' '),
                                std::string("\0\xff\xfe", 3),
                                R"({"error":{"message":")" + std::string(10 << 20, 'a') + R"("}})"};
  for (const std::string& body : bodies) {
    for (const int status : {200, 302, 400, 429, 503, 0, -1, 999}) {
      const UpstreamFailure failure = ClassifyErrorResponse(status, {}, body, WallTime{});
      EXPECT_LE(failure.message.size(), 2048u);
      EXPECT_TRUE(IsValidUtf8(failure.message));
      EXPECT_FALSE(failure.message.empty());
    }
    EXPECT_EQ(ClassifyErrorResponse(429, {}, body, WallTime{}).cls, FailureClass::kRateLimited);
    EXPECT_EQ(ClassifyErrorResponse(503, {}, body, WallTime{}).cls, FailureClass::kOverloaded);
    const FailureClass pretended = ClassifyErrorResponse(200, {}, body, WallTime{}).cls;
    EXPECT_TRUE(pretended == FailureClass::kNoStream || pretended == FailureClass::kUnusable ||
                pretended == FailureClass::kOverloaded)
        << FailureClassName(pretended);
  }
}

// Each attempt of it would be answered, and paid for, in the same way.
TEST(ErrorClass, AnAnswerInPlaceOfAStreamIsUnusable) {
  for (const char* body : {R"({"id":"x","object":"chat.completion","choices":[{"index":0}]})", " \n{}", "[]",
                           "data: {\"type\":\"response.created\"}\n\n", ": keep-alive\n\n", "event: x\n\n", "{\"cut"}) {
    const UpstreamFailure failure =
        ClassifyErrorResponse(200, {{"content-type", "application/json"}}, body, WallTime{});
    EXPECT_EQ(failure.cls, FailureClass::kUnusable) << body;
    EXPECT_EQ(failure.message,
              "HTTP 200 with application/json instead of text/event-stream; this upstream cannot be used unless it "
              "streams");
  }
}

TEST(ErrorClass, APageInPlaceOfAStreamNamesTheRemedy) {
  for (const char* body : {"<html>Please log in</html>", "", "   ", "OK", "\xff\xfe"}) {
    const UpstreamFailure failure = ClassifyErrorResponse(200, {{"content-type", "text/html"}}, body, WallTime{});
    EXPECT_EQ(failure.cls, FailureClass::kNoStream) << body;
    EXPECT_EQ(failure.message,
              "HTTP 200 with text/html instead of text/event-stream; check the upstream's base_url, and for a proxy or "
              "login page in between");
  }
  const UpstreamFailure hostile =
      ClassifyErrorResponse(204, {{"content-type", std::string(5000, 'x') + "\x01\xff"}}, "", WallTime{});
  EXPECT_EQ(hostile.cls, FailureClass::kNoStream);
  EXPECT_LT(hostile.message.size(), 300u);
  EXPECT_TRUE(IsValidUtf8(hostile.message));
}

TEST(StreamError, TheIncidentInsideAStreamIsARateLimitWithItsDelay) {
  const UpstreamFailure failure =
      ClassifyStreamError("tokens", "rate_limit_exceeded",
                          "Rate limit reached for o4-mini on tokens per min (TPM): Limit 200000, Used 160193, "
                          "Requested 51963. Please try again in 3.646s.");
  EXPECT_EQ(failure.cls, FailureClass::kRateLimited);
  EXPECT_EQ(failure.http_status, 0);
  EXPECT_EQ(failure.hint.retry_after, Duration(milliseconds(3646)));
  EXPECT_EQ(failure.hint.limit, 200000);
}

TEST(StreamError, ClassesByTypeCodeOrWords) {
  struct Row {
    const char* type;
    const char* code;
    const char* message;
    FailureClass cls;
  };
  const Row rows[] = {
      {"", "", "Rate limit reached for o4-mini", FailureClass::kRateLimited},
      {"", "429", "Provider returned error", FailureClass::kRateLimited},
      {"", "502", "Provider returned error", FailureClass::kOverloaded},
      {"", "insufficient_quota", "", FailureClass::kQuotaExhausted},
      {"", "", "You exceeded your current quota, please check your plan", FailureClass::kQuotaExhausted},
      {"", "usage_limit_reached", "", FailureClass::kQuotaExhausted},
      {"", "", "Request too large for o4-mini", FailureClass::kTooLarge},
      {"", "context_length_exceeded", "", FailureClass::kContextOverflow},
      {"", "", "This model's maximum context length is 4096 tokens", FailureClass::kContextOverflow},
      {"overloaded_error", "", "Overloaded", FailureClass::kOverloaded},
      {"server_error", "", "", FailureClass::kOverloaded},
      {"", "server_error", "An error occurred", FailureClass::kOverloaded},
      {"invalid_request_error", "", "no such tool", FailureClass::kInvalidRequest},
      {"", "invalid_prompt", "flagged", FailureClass::kInvalidRequest},
      {"authentication_error", "", "", FailureClass::kAuthentication},
      {"", "", "", FailureClass::kOverloaded},
      {"never heard of", "42", "?", FailureClass::kOverloaded},
  };
  for (const Row& row : rows) {
    const UpstreamFailure failure = ClassifyStreamError(row.type, row.code, row.message);
    EXPECT_STREQ(FailureClassName(failure.cls), FailureClassName(row.cls))
        << row.type << " " << row.code << " " << row.message;
    EXPECT_FALSE(failure.message.empty());
  }
}

}  // namespace
}  // namespace holdfast::quota
