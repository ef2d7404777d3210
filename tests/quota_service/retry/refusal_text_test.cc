#include <fmt/format.h>
#include <gmock/gmock.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Eq;
using testing::Optional;

constexpr auto kUnsaid = std::nullopt;

struct RefusalCase {
  std::string text;
  std::optional<Duration> retry_after;
  std::optional<Dimension> dimension;
  std::optional<int64_t> limit, used, requested;
};

void ExpectReads(const RefusalCase& expected) {
  SCOPED_TRACE(expected.text);
  const ServerHint hint = ParseRefusalText(expected.text);
  EXPECT_EQ(hint.retry_after, expected.retry_after);
  EXPECT_EQ(hint.dimension, expected.dimension);
  EXPECT_EQ(hint.limit, expected.limit);
  EXPECT_EQ(hint.used, expected.used);
  EXPECT_EQ(hint.requested, expected.requested);
}

struct BucketRow {
  int64_t limit, used, requested;
  std::string wait;
  Duration expected;
};

TEST(RefusalText, ReadsEveryKnownLevelOfTheTokenBucket) {
  const std::vector<BucketRow> rows = {
      {200'000, 160'193, 51'963, "3.646s", milliseconds(3646)},
      {200'000, 158'833, 62'431, "6.379s", milliseconds(6379)},
      {200'000, 162'960, 42'288, "1.574s", milliseconds(1574)},
      {200'000, 150'405, 51'478, "564ms", milliseconds(564)},
      {30'000, 4'828, 25'212, "80ms", milliseconds(80)},
      {30'000, 22'999, 12'528, "11.054s", milliseconds(11'054)},
      {250'000, 250'000, 143'071, "34.337s", milliseconds(34'337)},
  };
  for (const auto& row : rows) {
    ExpectReads(
        {fmt::format("Rate limit reached for o4-mini in organization org-A on tokens per min (TPM): Limit {}, Used {}, "
                     "Requested {}. Please try again in {}. Visit https://example.com/limits to learn more.",
                     row.limit, row.used, row.requested, row.wait),
         row.expected, Dimension::kTokens, row.limit, row.used, row.requested});
  }
}

TEST(RefusalText, ReadsWhatEachProviderSays) {
  const std::vector<RefusalCase> cases = {
      {"Rate limit reached for gpt-4o on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in "
       "20s.",
       seconds(20), Dimension::kRequests, 3, 3, 1},
      {"Rate limit reached for gpt-4o on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in "
       "7m12s.",
       minutes(7) + seconds(12), Dimension::kRequests, 200, 200, 1},
      {"Rate limit reached for 10KTPM-200RPM in organization org-A on requests per min. Limit: 200 / min. Please try "
       "again in 300ms.",
       milliseconds(300), Dimension::kRequests, 200, kUnsaid, kUnsaid},
      {"Rate limit reached for default-gpt-4 on tokens per min. Limit: 30000 / min. Current: 4828 / min. Contact us.",
       kUnsaid, Dimension::kTokens, 30'000, 4'828, kUnsaid},
      {"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 180002. The input must be "
       "reduced.",
       kUnsaid, Dimension::kTokens, 30'000, kUnsaid, 180'002},
      {"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current S0 pricing "
       "tier. Please retry "
       "after 45 seconds.",
       seconds(45), Dimension::kTokens, kUnsaid, kUnsaid, kUnsaid},
      {"Requests have exceeded call rate limit of your current S0 pricing tier. Please retry after 86400 seconds.",
       hours(24), Dimension::kRequests, kUnsaid, kUnsaid, kUnsaid},
      {"Your account org-A request reached max organization concurrency: 1, please try again after 1 seconds",
       seconds(1), Dimension::kConcurrency, 1, kUnsaid, kUnsaid},
      {"Your account org-A request reached organization max RPM: 3, please try again after 1 seconds", seconds(1),
       Dimension::kRequests, 3, kUnsaid, kUnsaid},
      {"Your account request reached TPM rate limit, current: 1410, limit: 100", kUnsaid, Dimension::kTokens, 100,
       1'410, kUnsaid},
      {"You exceeded your current quota. Please retry in 38.5s.", milliseconds(38'500), kUnsaid, kUnsaid, kUnsaid,
       kUnsaid},
      {"* Quota exceeded for metric: example.com/free_tier_requests, limit: 15\nPlease retry in 45.837906927s.",
       std::chrono::nanoseconds(45'837'906'927), Dimension::kRequests, 15, kUnsaid, kUnsaid},
      {"This request would exceed your organization's rate limit of 40,000 input tokens per minute.", kUnsaid,
       Dimension::kInputTokens, 40'000, kUnsaid, kUnsaid},
      {"Number of request tokens has exceeded your per-minute rate limit", kUnsaid, Dimension::kTokens, kUnsaid,
       kUnsaid, kUnsaid},
      {"Number of concurrent connections has exceeded your rate limit", kUnsaid, Dimension::kConcurrency, kUnsaid,
       kUnsaid, kUnsaid},
  };
  for (const auto& c : cases) ExpectReads(c);
}

TEST(RefusalText, ReadsTheDelayInWhateverFormItIsSaid) {
  const std::vector<std::pair<std::string, Duration>> cases = {
      {"Please try again in 6m0s.", minutes(6)},
      {"Please try again in 1h2m3s.", hours(1) + minutes(2) + seconds(3)},
      {"try again in 2 minutes", minutes(2)},
      {"TRY AGAIN IN 2 MINUTES", minutes(2)},
      {"Retry your request after 30 seconds, or contact us", seconds(30)},
      {"Please wait 20 seconds and retry", seconds(20)},
      {"wait for 5s", seconds(5)},
      {"Your limit resets in 3 hours", hours(3)},
      {"The limit resets in 24h. Please try again in 3s.", seconds(3)},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_THAT(ParseRefusalText(text).retry_after, Optional(Eq(expected))) << text;
}

TEST(RefusalText, FindsNoDelayWhereNoneIsSaid) {
  for (const char* text :
       {"", "Please try again later.", "Please try again in a moment.", "try again in -5s", "try again in NaNs",
        "try again in 5", "try again in 99999999999s", "try again in 45 days", "try again after 12:30",
        "completed in 3.2s", "Could not retry. The last call ended in 3s", "again in 1e9s", "retry in 0x10s"}) {
    EXPECT_EQ(ParseRefusalText(text).retry_after, std::nullopt) << text;
  }
}

TEST(RefusalText, FindsNoNumberInNonsense) {
  for (const char* text :
       {"Limit -1, Used -5, Requested -9", "limit: 20k, used 3.5, requested 7%", "limit used requested",
        "unlimited 5, reused 6, unrequested 7", "limit 9999999999999999, used 9999999999999999", "max_tokens: 5",
        "max retries: 5", "limit: 0"}) {
    const ServerHint hint = ParseRefusalText(text);
    EXPECT_EQ(hint.limit, std::nullopt) << text;
    EXPECT_EQ(hint.used, std::nullopt) << text;
    EXPECT_EQ(hint.requested, std::nullopt) << text;
  }
}

TEST(RefusalText, SkipsAWordWithoutANumberForALaterOneThatHasIt) {
  EXPECT_THAT(ParseRefusalText("rate limit of your current tier; current: 7, limit: 9").limit, Optional(9));
  EXPECT_THAT(ParseRefusalText("rate limit of your current tier; current: 7, limit: 9").used, Optional(7));
}

TEST(RefusalText, KeepsEveryFieldPlausibleForAnyBytes) {
  std::mt19937 random(20260314);
  const std::vector<std::string> pieces = {"try again in ",
                                           "retry after ",
                                           "limit ",
                                           "used",
                                           "requested ",
                                           ": ",
                                           ",",
                                           "9",
                                           "1",
                                           "000",
                                           ".",
                                           "s",
                                           "m",
                                           "ms",
                                           " ",
                                           "-",
                                           "NaN",
                                           "max RPM: ",
                                           "\xFF",
                                           "\n",
                                           std::string(1, '\0')};
  for (int round = 0; round < 5'000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += pieces[random() % pieces.size()];
    const ServerHint hint = ParseRefusalText(text);
    if (hint.retry_after) {
      ASSERT_GE(*hint.retry_after, Duration::zero()) << text;
      ASSERT_LE(*hint.retry_after, hours(31 * 24)) << text;
    }
    for (const auto& number : {hint.limit, hint.used, hint.requested}) {
      ASSERT_GE(number.value_or(0), 0) << text;
      ASSERT_LT(number.value_or(0), 1'000'000'000'000'000) << text;
    }
  }
}

TEST(RefusalText, ReadsOnlyTheHeadOfAVeryLongText) {
  std::string text = "Please try again in 3s. ";
  while (text.size() < 4'000'000) text += "limit in after wait for max ";
  EXPECT_THAT(ParseRefusalText(text).retry_after, Optional(Eq(seconds(3))));
}

}  // namespace
}  // namespace holdfast::quota
