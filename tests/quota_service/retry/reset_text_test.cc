#include <gmock/gmock.h>

#include <string>

#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

using testing::Eq;
using testing::Optional;

TEST(ResetMoment, IsReadInEveryFormThatProvidersWrite) {
  struct Row {
    const char* text;
    const char* moment;
  };
  const Row rows[] = {
      {"Usage limit reached for 5 hour. Your limit will reset at 2026-01-10 12:26:55", "2026-01-10T04:26:55Z"},
      {"您的限额将在 2026-08-25 07:41:44 重置。", "2026-08-24T23:41:44Z"},
      {"Limit Exhausted. Reset at 2026-08-14T00:00:00Z", "2026-08-14T00:00:00Z"},
      {"resets at 2026-08-14T02:00:00.125+02:00.", "2026-08-14T00:00:00Z"},
      {"resets at 2026-08-14T02:00:00+02:00.", "2026-08-14T00:00:00Z"},
      {"You will regain access on 2026-02-01 at 00:00 UTC.", "2026-02-01T00:00:00Z"},
      {"reset: 2026-02-01 00:00:30 UTC", "2026-02-01T00:00:30Z"},
      {"id 12026-01-01 00:00, reset at 2026-02-01T00:00:30Z or 2027-02-01T00:00:30Z", "2026-02-01T00:00:30Z"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(ParseResetMoment(row.text), Optional(Eq(*ParseRfc3339(row.moment)))) << row.text;
    EXPECT_THAT(ParseRefusalText(row.text).reset_at, Optional(Eq(*ParseRfc3339(row.moment)))) << row.text;
  }
}

TEST(ResetMoment, IsNotFoundWhereNoneIsSaid) {
  for (const char* text :
       {"", "reset", "Your limit will reset at noon", "reset at 2026-01-10", "reset at 2026-1-10 1:2",
        "reset at 2026-13-40 12:26:55", "reset at 9999-01-01 00:00:00", "reset at -2026-01-10 99:99",
        "the model was made on 2026-01-10 12:26:55", "reset 2026-01-10T"}) {
    EXPECT_EQ(ParseResetMoment(text), std::nullopt) << text;
  }
}

TEST(ResetMoment, ADelayInWordsIsBetter) {
  const ServerHint hint = ParseRefusalText("resets at 2026-01-10 12:26:55. Please try again in 3s.");
  EXPECT_EQ(hint.retry_after, Duration(std::chrono::seconds(3)));
  EXPECT_EQ(hint.reset_at, std::nullopt);
}

TEST(ResetMoment, IsLookedForInTheHeadOfALongTextOnly) {
  std::string text = "reset ";
  while (text.size() < 4'000'000) text += "2026-01-10 12:26 ";
  EXPECT_TRUE(ParseResetMoment(text).has_value());
  EXPECT_EQ(ParseResetMoment("reset " + std::string(4'000'000, '9') + "2026-01-10 12:26:55"), std::nullopt);
}

TEST(UntilMoment, IsNeverNegativeAndAtMost31Days) {
  const WallTime now = *ParseRfc3339("2026-01-10T00:00:00Z");
  EXPECT_THAT(UntilMoment(*ParseRfc3339("2026-01-10T00:00:05Z"), now), Optional(Eq(std::chrono::seconds(5))));
  EXPECT_THAT(UntilMoment(*ParseRfc3339("2025-01-10T00:00:05Z"), now), Optional(Eq(Duration::zero())));
  EXPECT_EQ(UntilMoment(*ParseRfc3339("2026-02-11T00:00:05Z"), now), std::nullopt);
}

}  // namespace
}  // namespace holdfast::quota
