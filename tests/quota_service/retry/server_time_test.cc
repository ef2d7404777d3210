#include <gmock/gmock.h>

#include <chrono>
#include <string>

#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::Eq;
using testing::Optional;

WallTime FromUnix(int64_t unix_seconds) { return WallTime(seconds(unix_seconds)); }

TEST(HttpDate, ReadsTheFormOfRfc7231) {
  EXPECT_THAT(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), Optional(Eq(FromUnix(784'111'777))));
  EXPECT_THAT(ParseHttpDate(" Thu, 29 Feb 2024 23:59:59 GMT "), Optional(Eq(FromUnix(1'709'251'199))));
}

TEST(HttpDate, RefusesEverythingElse) {
  for (const char* text :
       {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 2025 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 9999 08:49:37 GMT", "Sun, 06 Nov 0001 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT+1"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

TEST(Rfc3339, ReadsZonesAndFractions) {
  EXPECT_THAT(ParseRfc3339("1994-11-06T08:49:37Z"), Optional(Eq(FromUnix(784'111'777))));
  EXPECT_THAT(ParseRfc3339("1994-11-06t08:49:37z"), Optional(Eq(FromUnix(784'111'777))));
  EXPECT_THAT(ParseRfc3339("1994-11-06T10:19:37+01:30"), Optional(Eq(FromUnix(784'111'777))));
  EXPECT_THAT(ParseRfc3339("1994-11-06T00:49:37-08:00"), Optional(Eq(FromUnix(784'111'777))));
  EXPECT_THAT(ParseRfc3339("1994-11-06T08:49:37.25Z"), Optional(Eq(FromUnix(784'111'777) + milliseconds(250))));
  EXPECT_THAT(ParseRfc3339("1994-11-06T08:49:37.12345678999999Z"),
              Optional(Eq(FromUnix(784'111'777) + nanoseconds(123'456'789))));
}

TEST(Rfc3339, CountsALeapSecondAsTheNext) {
  EXPECT_THAT(ParseRfc3339("2016-12-31T23:59:60Z"), Optional(Eq(FromUnix(1'483'228'800))));
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text :
       {"", "1994-11-06", "1994-11-06T08:49:37", "1994-11-06T08:49Z", "1994-13-06T08:49:37Z", "1994-00-06T08:49:37Z",
        "1994-02-30T08:49:37Z", "1994-11-06T08:49:37.Z", "1994-11-06T08:49:37+24:00", "1994-11-06T08:49:37+0100",
        "9999-11-06T08:49:37Z", "1994-11-06T08:49:61Z", "1994-11-06T08:49:37Zx", "-994-11-06T08:49:37Z"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace holdfast::quota
