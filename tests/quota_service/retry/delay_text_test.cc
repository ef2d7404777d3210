#include "quota_service/retry/delay_text.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::Eq;
using testing::Optional;

struct DurationCase {
  std::string text;
  Duration expected;
};

TEST(ServerDuration, ReadsEveryFormThatServersWrite) {
  const std::vector<DurationCase> cases = {
      {"1s", seconds(1)},
      {"6m0s", minutes(6)},
      {"1m12s", seconds(72)},
      {"1h2m3s", hours(1) + minutes(2) + seconds(3)},
      {"4m12.172s", minutes(4) + milliseconds(12'172)},
      {"3.646s", milliseconds(3646)},
      {"80ms", milliseconds(80)},
      {"120ms", milliseconds(120)},
      {"11.054s", milliseconds(11'054)},
      {"0s", Duration::zero()},
      {"45", seconds(45)},
      {"0", Duration::zero()},
      {"0.5", milliseconds(500)},
      {"45 seconds", seconds(45)},
      {"1 seconds", seconds(1)},
      {"2 minutes", minutes(2)},
      {"1 minute and 30 seconds", seconds(90)},
      {"1 hour, 5 minutes", minutes(65)},
      {"86400 seconds", hours(24)},
      {"38s", seconds(38)},
      {"45.837906927s", nanoseconds(45'837'906'927)},
      {"250us", microseconds(250)},
      {"250\u00B5s", microseconds(250)},
      {"2 Days", hours(48)},
      {"  7s\t", seconds(7)},
      {"31d", hours(31 * 24)},
  };
  for (const auto& c : cases) EXPECT_THAT(ParseServerDuration(c.text), Optional(Eq(c.expected))) << c.text;
}

TEST(ServerDuration, RefusesNonsense) {
  const std::vector<std::string> texts = {
      "",          " ",    "s",     "-1",    "-1s",   "+1s",  "NaN",
      "nan",       "inf",  "1e3",   "1e3s",  "0x10",  "1s2m", "1s1s",
      "5 parsecs", "3.s",  ".5s",   "1..5s", "1s x",  "5s_",  "5s6",
      "1,5s",      "soon", "1 s s", "12:30", "5m-3s", "١s",   std::string("5s\0", 3),
  };
  for (const auto& text : texts) EXPECT_EQ(ParseServerDuration(text), std::nullopt) << text;
}

TEST(ServerDuration, RefusesMoreThan31Days) {
  EXPECT_EQ(ParseServerDuration("31d1s"), std::nullopt);
  EXPECT_EQ(ParseServerDuration("2678401"), std::nullopt);
  EXPECT_EQ(ParseServerDuration("1767225600"), std::nullopt);
  EXPECT_EQ(ParseServerDuration("99999999999999999999s"), std::nullopt);
  EXPECT_EQ(ParseServerDuration(std::string(100'000, '9')), std::nullopt);
  EXPECT_EQ(ParseServerDuration("1." + std::string(100'000, '0') + "s"), std::nullopt);
}

class RetryAfter : public testing::Test {
 protected:
  const WallTime now_ = *ParseHttpDate("Sat, 14 Mar 2026 15:09:26 GMT");
};

TEST_F(RetryAfter, ReadsSecondsWholeAndFractional) {
  EXPECT_THAT(ParseRetryAfter("120", now_), Optional(Eq(seconds(120))));
  EXPECT_THAT(ParseRetryAfter(" 0.25 ", now_), Optional(Eq(milliseconds(250))));
}

TEST_F(RetryAfter, ReadsDatesRelativeToTheServersClock) {
  EXPECT_THAT(ParseRetryAfter("Sat, 14 Mar 2026 15:10:26 GMT", now_), Optional(Eq(seconds(60))));
  EXPECT_THAT(ParseRetryAfter("2026-03-14T15:09:27.5Z", now_), Optional(Eq(milliseconds(1500))));
}

TEST_F(RetryAfter, TakesADateThatHasPassedAsNow) {
  EXPECT_THAT(ParseRetryAfter("Sat, 14 Mar 2026 15:09:25 GMT", now_), Optional(Eq(Duration::zero())));
}

TEST_F(RetryAfter, RefusesNonsenseAndFarFutures) {
  for (const char* text :
       {"", "-5", "NaN", "tomorrow", "1e2", "Fri, 01 Jan 2100 00:00:00 GMT", "2027-01-01T00:00:00Z", "1773500966"}) {
    EXPECT_EQ(ParseRetryAfter(text, now_), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace holdfast::quota
