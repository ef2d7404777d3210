#include "common/base/duration_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

TEST(ParseDuration, TakesEveryUnitAndTheirSums) {
  const std::pair<const char*, Duration> cases[] = {{"250ms", milliseconds(250)},
                                                    {"3.5s", milliseconds(3500)},
                                                    {"15m", minutes(15)},
                                                    {"1h30m", minutes(90)},
                                                    {"24h", hours(24)},
                                                    {"7d", hours(7 * 24)},
                                                    {"1h2m3s4ms", hours(1) + minutes(2) + seconds(3) + milliseconds(4)},
                                                    {"0.5ms", microseconds(500)},
                                                    {"0s", Duration::zero()},
                                                    {"0", Duration::zero()}};
  for (const auto& [text, expected] : cases) {
    const auto duration = ParseDuration(text);
    ASSERT_TRUE(duration.ok()) << duration.status();
    EXPECT_EQ(*duration, expected) << text;
  }
}

TEST(ParseDuration, RefusesABareNumberBecauseItsUnitIsAGuess) {
  for (const char* text : {"5", "1.5", "1h30", "00"}) {
    const auto duration = ParseDuration(text);
    EXPECT_EQ(duration.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseDuration, RefusesWhatIsNoDurationAndQuotesIt) {
  for (const char* text : {"", " ", "s", "-1s", "1h-5m", "+1s", "1 s", "1s ", "1e3s", "infs", "nans", "1S", "1w", "1us",
                           "1,5s", "0x1s", "1s2", "ms1", "--1s"}) {
    const auto duration = ParseDuration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(std::string(duration.status().message()),
                AllOf(HasSubstr("\"" + std::string(text) + "\""), HasSubstr("15m")));
  }
}

TEST(ParseDuration, RefusesWhatIsLongerThanTenYearsAndSaysSo) {
  EXPECT_TRUE(ParseDuration("3650d").ok());
  for (const char* text : {"3661d", "99999999999999999999h", "1000000h999999999999999999999s"}) {
    const auto duration = ParseDuration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(std::string(duration.status().message()), HasSubstr("3660d")) << text;
  }
}

TEST(FormatDuration, ShowsWhatPeopleNeed) {
  const std::pair<Duration, const char*> cases[] = {{milliseconds(564), "564ms"},
                                                    {milliseconds(3646), "3.6s"},
                                                    {seconds(1), "1.0s"},
                                                    {milliseconds(59'999), "59s"},
                                                    {minutes(12) + seconds(5), "12m05s"},
                                                    {hours(2) + minutes(3) + seconds(59), "2h03m"},
                                                    {hours(100), "100h00m"},
                                                    {Duration::zero(), "0ms"},
                                                    {microseconds(999), "0ms"},
                                                    {seconds(-1), "0s"}};
  for (const auto& [duration, expected] : cases) EXPECT_EQ(FormatDuration(duration), expected);
}

TEST(FormatDuration, RoundsDownExactlyForEveryMillisecond) {
  for (int ms = 0; ms < 10'000; ++ms) {
    const std::string expected =
        ms < 1000 ? std::to_string(ms) + "ms" : std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + "s";
    ASSERT_EQ(FormatDuration(milliseconds(ms)), expected);
  }
}

TEST(FormatDuration, CanShowTheLongestDuration) { EXPECT_EQ(FormatDuration(Duration::max()), "2562047h47m"); }

}  // namespace
}  // namespace holdfast
