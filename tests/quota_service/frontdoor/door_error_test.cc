#include "quota_service/frontdoor/answer/door_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "quota_service/frontdoor/answer/header_lists.h"
#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

CallFailure Failure(CallFailure::Kind kind, std::optional<Duration> retry_after = std::nullopt) {
  CallFailure failure;
  failure.kind = kind;
  failure.message = "because";
  failure.retry_after = retry_after;
  return failure;
}

TEST(DoorError, AWaitThatIsTooLongIsA429ThatClientsCanParse) {
  CallFailure failure = Failure(CallFailure::Kind::kWaitTooLong, milliseconds(3646));
  failure.wait = WaitEstimate{.reason = WaitEstimate::Reason::kLimit,
                              .dimension = Dimension::kTokens,
                              .limit = 200'000,
                              .used = 160'193,
                              .requested = 51'963};
  const DoorError error = ErrorOfCall(failure, "o4-mini");
  EXPECT_EQ(error.status, 429U);
  EXPECT_EQ(error.code, "rate_limit_exceeded");
  EXPECT_EQ(error.type, "tokens");
  EXPECT_THAT(error.message, HasSubstr("Rate limit reached for o4-mini on tokens: Limit 200000, Used 160193, "
                                       "Requested 51963. Please try again in 3.646s."));
  EXPECT_EQ(ParseRefusalText(error.message).retry_after, milliseconds(3646));
  EXPECT_THAT(RetryHeaders(error), UnorderedElementsAre(Pair("Retry-After", "4"), Pair("Retry-After-Ms", "3646")));
}

TEST(DoorError, RetryAfterIsFromOneSecondToSixty) {
  const auto header = [](Duration wait) {
    return RetryHeaders(ErrorOfCall(Failure(CallFailure::Kind::kQueueFull, wait), "m")).at(0).second;
  };
  EXPECT_EQ(header(Duration::zero()), "1");
  EXPECT_EQ(header(milliseconds(80)), "1");
  EXPECT_EQ(header(milliseconds(1001)), "2");
  EXPECT_EQ(header(std::chrono::hours(3)), "60");
}

TEST(DoorError, FollowsTheTableOfStatusCodes) {
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kNeverFits), "m").status, 400U);
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kNeverFits), "m").code, "context_length_exceeded");
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kUpstreamAuth), "m").status, 502U);
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kUnusableAnswer), "m").status, 502U);
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kCancelled), "m").status, 503U);
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kQuotaExhausted), "m").status, 429U);
  EXPECT_EQ(ErrorOfCall(Failure(CallFailure::Kind::kQuotaExhausted), "m").code, "insufficient_quota");
}

TEST(DoorError, KeepsTheStatusAndCodeOfTheUpstream) {
  CallFailure failure = Failure(CallFailure::Kind::kInvalidRequest);
  failure.upstream = UpstreamFailure{};
  failure.upstream->http_status = 422;
  failure.upstream->code = "unsupported_value";
  EXPECT_EQ(ErrorOfCall(failure, "m").status, 422U);
  EXPECT_EQ(ErrorOfCall(failure, "m").code, "unsupported_value");
  failure.kind = CallFailure::Kind::kQuotaExhausted;
  failure.upstream->http_status = 402;
  EXPECT_EQ(ErrorOfCall(failure, "m").status, 402U);
}

TEST(DoorError, WritesJsonWhateverTheWords) {
  const DoorError error{400, "t", "", "a \"quote\", a \\ and a\nline \x01"};
  const auto json = boost::json::parse(ErrorJson(error)).at("error");
  EXPECT_EQ(json.at("message").as_string(), error.message);
  EXPECT_TRUE(json.at("code").is_null());
  const std::string event = FailureEvent(Api::kResponses, error, "m\"", {});
  const size_t data = event.find("data: ") + 6;
  const auto response = boost::json::parse(event.substr(data, event.find('\n', data) - data)).at("response");
  EXPECT_EQ(response.at("status").as_string(), "failed");
  EXPECT_EQ(response.at("error").at("message").as_string(), error.message);
  EXPECT_EQ(response.at("model").as_string(), "m\"");
}

TEST(HeaderLists, NoCredentialAndNoFramingGoesToTheUpstream) {
  const HttpHeaders passed = HeadersForUpstream({{"authorization", "Bearer t"},
                                                 {"cookie", "c"},
                                                 {"x-api-key", "k"},
                                                 {"api-key", "k"},
                                                 {"openai-organization", "o"},
                                                 {"host", "h"},
                                                 {"connection", "x-codex-turn-state"},
                                                 {"content-length", "5"},
                                                 {"x-forwarded-for", "1.2.3.4"},
                                                 {"x-codex-turn-state", "s"},
                                                 {"originator", "codex_cli_rs"},
                                                 {"openai-beta", "b"}});
  EXPECT_THAT(passed, UnorderedElementsAre(Pair("x-codex-turn-state", "s"), Pair("originator", "codex_cli_rs"),
                                           Pair("openai-beta", "b")));
}

TEST(HeaderLists, TheUpstreamsOwnLimitsAndSecretsStayHere) {
  const HttpHeaders passed = HeadersForClient({{"x-ratelimit-remaining-tokens", "5"},
                                               {"set-cookie", "c"},
                                               {"retry-after", "5"},
                                               {"x-codex-turn-state", "s"},
                                               {"x-request-id", "req_1"},
                                               {"openai-processing-ms", "5"},
                                               {"openai-echo", "key is sk-secret-0123456789"}},
                                              "sk-secret-0123456789");
  EXPECT_THAT(passed, Contains(Pair("x-codex-turn-state", "s")));
  EXPECT_THAT(passed, Contains(Pair("x-request-id", "req_1")));
  EXPECT_THAT(passed, Contains(Pair("openai-processing-ms", "5")));
  EXPECT_EQ(passed.size(), 4U);
  for (const auto& [name, value] : passed) EXPECT_THAT(value, testing::Not(HasSubstr("sk-secret"))) << name;
}

TEST(HeaderLists, QuotaHeadersNameTheTightestLimit) {
  const auto minute = seconds(60);
  const HttpHeaders headers =
      QuotaHeaders({{Dimension::kTokens, 200'000, minute, 100'000, LimitSource::kConfigured},
                    {Dimension::kTokens, 1'000'000, std::chrono::hours(24), 900'000, LimitSource::kConfigured},
                    {Dimension::kRequests, 500, minute, 499, LimitSource::kConfigured},
                    {Dimension::kConcurrency, 5, Duration::zero(), 5, LimitSource::kConfigured}});
  EXPECT_THAT(headers, UnorderedElementsAre(
                           Pair("x-ratelimit-limit-tokens", "200000"), Pair("x-ratelimit-remaining-tokens", "100000"),
                           Pair("x-ratelimit-reset-tokens", "30s"), Pair("x-ratelimit-limit-requests", "500"),
                           Pair("x-ratelimit-remaining-requests", "499"), Pair("x-ratelimit-reset-requests", "120ms")));
  EXPECT_THAT(QuotaHeaders({}), IsEmpty());
}

TEST(HeaderLists, TheTenantsBudgetIsALimitToo) {
  const std::vector<LimitGroup::Level> levels = {
      {Dimension::kTokens, 200'000, seconds(60), 100'000, LimitSource::kConfigured}};
  BudgetStanding budget{.tenant = "web", .limit = 1'000'000, .spent = 930'000, .reserved = 50'000};
  budget.until_reset = std::chrono::hours(5);
  EXPECT_THAT(QuotaHeaders(levels, budget), UnorderedElementsAre(Pair("x-ratelimit-limit-tokens", "1000000"),
                                                                 Pair("x-ratelimit-remaining-tokens", "20000"),
                                                                 Pair("x-ratelimit-reset-tokens", "5h0m0s")));
  budget.spent = 500'000;
  EXPECT_THAT(QuotaHeaders(levels, budget), testing::Contains(Pair("x-ratelimit-remaining-tokens", "100000")));
  budget.spent = 1'200'000;
  EXPECT_THAT(QuotaHeaders({}, budget), testing::Contains(Pair("x-ratelimit-remaining-tokens", "0")));
}

}  // namespace
}  // namespace holdfast::quota
